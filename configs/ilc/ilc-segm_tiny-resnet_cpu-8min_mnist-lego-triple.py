"""Instance masks on scenes of objects of three digits from the small ILC.

It loads the checkpoints of ilc_tiny-resnet_cpu-8min_mnist-lego-triple: nothing more is trained. The masks of MNIST-LEGO
are the ink of the digits. gamma was chosen on 50 validation scenes; 0 leaves the density penalty out.

Command:  python tools/test.py configs/ilc/ilc-segm_tiny-resnet_cpu-8min_mnist-lego-triple.py \\
              work_dirs/ilc_tiny-resnet_cpu-8min_mnist-lego-triple/iter_3000.pth \\
              --cfg-options test_dataloader.dataset.num_samples=200
Data:     MNIST-LEGO triple
Hardware: one CPU core
Time:     not measured
Figures:  MABO 0.593, AP^r_0.5 0.527 (200 test scenes, seed 0; README.md)
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
    gamma=0.05,
)
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadMaskProposals', source=dict(type='mmcount.HierarchicalProposals')),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes', with_mask=True),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

# Objects of three digits: a proposal that holds one digit holds a third of an object, which is what the density penalty
# of instance segmentation is about.
scene = dict(layout='triple', classes=(0, 11, 22, 33, 44, 55, 66, 77, 88, 99), part_size=12, scale_range=(0.8, 1.2))
train_dataloader = dict(dataset=dict(dataset=dict(scene=scene)))
val_dataloader = dict(dataset=dict(with_mask=True, scene=scene, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(with_mask=True, scene=scene, pipeline=test_pipeline))
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
