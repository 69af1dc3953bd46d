# MNIST-LEGO: scenes of handwritten digits, made on the fly; no files and no network.
dataset_type = 'mmcount.MNISTLego'
scene = dict(
    canvas=(128, 128),
    layout='single',
    merge_classes=True,
    class_mode='mixed',
    num_objects=(0, 30),
    part_size=14,
    max_overlap=0.2,
    background='photo',
)
num_workers = 0

codec = dict(type='mmcount.RedundantCountCodec', window_size=32, stride=4, num_classes=1)

train_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.HaloCrop', codec=codec, size=96, extend=48),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type=dataset_type, subset='train', num_samples=2000, scene=scene, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type=dataset_type, subset='val', num_samples=40, scene=scene, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, subset='test', num_samples=100, scene=scene, pipeline=test_pipeline, test_mode=True
    ),
)

val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = [
    *val_evaluator,
    dict(
        type='mmcount.BaselineMetric',
        dataset=dict(type=dataset_type, subset='train', num_samples=2000, scene=scene, pipeline=[]),
    ),
]
