_base_ = './ilc_tiny-resnet_cpu-8min_mnist-lego-triple.py'

# Instance masks from the counter of the base config, whose checkpoints it loads: nothing more is trained. The masks of
# MNIST-LEGO are the ink of the digits. gamma was chosen on 50 validation scenes; 0 leaves the density penalty out.
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
val_dataloader = dict(dataset=dict(with_mask=True, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(with_mask=True, pipeline=test_pipeline))
val_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.MaskOverlapMetric'),
]
test_evaluator = val_evaluator
