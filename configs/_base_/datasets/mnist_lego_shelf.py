# MNIST-LEGO shelves: stacks of 1 to 20 objects of a class, annotated as Locount does (same-class objects that overlap
# by more than half share one box with a count), made on the fly; no files and no network. Of the boxes, 3 in 10 count
# 1, half 2..10 and 2 in 10 more. Digits are not mirrored: they would become others.
dataset_type = 'mmcount.MNISTLego'
scene = dict(
    canvas=(192, 192),
    layout='single',
    classes=(0, 2, 3, 4, 5, 8),
    class_mode='mixed',
    num_objects=(20, 52),
    part_size=22,
    scale_range=(0.85, 1.15),
    stack_prob=0.75,
    stack_size=(2, 20),
    stack_shift=(0.15, 0.3),
    stack_angles=(0, 90, 180, 270),
    stack_turn=5,
    ink='last',
    max_overlap=0.05,
    background='photo',
    background_level=0.25,
)
common = dict(type=dataset_type, target='groups', scene=scene)
num_workers = 0

train_pipeline = [
    dict(type='mmcount.LoadImageFromFile'),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImageFromFile'),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(subset='train', num_samples=2000, keep_scenes=True, pipeline=train_pipeline, **common),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', num_samples=100, pipeline=test_pipeline, test_mode=True, **common),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', num_samples=300, pipeline=test_pipeline, test_mode=True, **common),
)

val_evaluator = dict(type='mmcount.LocountMetric')
test_evaluator = val_evaluator
