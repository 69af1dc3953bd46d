# MNIST-LEGO, one object of one of 100 classes of three digits on every image: what the classifier learns from, and what
# P2C makes its dictionary of.
dataset_type = 'mmcount.MNISTLego'
scene = dict(
    canvas=(64, 64),
    layout='triple',
    num_objects=1,
    part_size=13,
    scale_range=(0.8, 1.25),
    center_jitter=6,
    background='photo',
)
common = dict(type=dataset_type, scene=scene)
num_workers = 0

pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=64,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(subset='train', num_samples=20000, keep_scenes=True, pipeline=pipeline, **common),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', num_samples=1000, pipeline=pipeline, test_mode=True, **common),
)
test_dataloader = dict(
    batch_size=50,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', num_samples=2000, pipeline=pipeline, test_mode=True, **common),
)
val_evaluator = dict(type='mmcount.ClassAccuracy')
test_evaluator = val_evaluator
