"""Instance masks on scenes of digits from the small ILC.

It loads the checkpoints of ilc_tiny-resnet_cpu-8min_mnist-lego: nothing more is trained. The masks of MNIST-LEGO are
the ink of the digits. model.gamma=0 leaves the density penalty out.

Command:  python tools/test.py configs/ilc/ilc-segm_tiny-resnet_cpu-8min_mnist-lego.py \\
              work_dirs/ilc_tiny-resnet_cpu-8min_mnist-lego/iter_3000.pth
Data:     MNIST-LEGO
Hardware: one CPU core
Time:     not measured
Figures:  none for the test images
"""

_base_ = [
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_classes.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

model = dict(
    _delete_=True,
    type='mmcount.PeakSegmentor',
    counter=_base_.model,
    peak_threshold=None,
    limit_by_count=True,
    density_resize='area',
)
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadMaskProposals', source=dict(type='mmcount.HierarchicalProposals')),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes', with_mask=True),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
val_dataloader = dict(dataset=dict(with_mask=True, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(with_mask=True, pipeline=test_pipeline))
val_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.MaskOverlapMetric'),
]
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.TrainingStageHook', milestones=(50,), by_epoch=False),
]
