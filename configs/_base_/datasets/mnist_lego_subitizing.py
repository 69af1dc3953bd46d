# MNIST-LEGO scenes of 0 to 4 objects of one of 100 classes of three digits; every object is just an object.
dataset_type = 'mmcount.MNISTLego'
scene = dict(
    canvas=(128, 128),
    layout='triple',
    merge_classes=True,
    num_objects=(0, 4),
    part_size=13,
    scale_range=(0.8, 1.25),
    background='photo',
)
common = dict(type=dataset_type, scene=scene)
num_workers = 0

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=20,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='train', num_samples=4000, pipeline=train_pipeline, **common),
)
val_dataloader = dict(
    batch_size=20,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', num_samples=500, pipeline=test_pipeline, test_mode=True, **common),
)
test_dataloader = dict(
    batch_size=20,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', num_samples=1000, pipeline=test_pipeline, test_mode=True, **common),
)

val_evaluator = [
    dict(type='mmcount.SubitizingMetric', max_count=4),
    dict(type='mmcount.PointingMetric', max_count=4),
]
test_evaluator = [
    dict(type='mmcount.CountMetric'),
    dict(type='mmcount.CountValueMetric', values=(1, 2, 3, 4)),
    *val_evaluator,
]
