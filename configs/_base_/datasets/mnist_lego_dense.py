# Dense MNIST-LEGO: 50 to 300 digits of 6 to 18 pixels on photos of 320 x 320, made on the fly; no files and no network.
# Many touch, hardly any overlap, and the dim ones are hard to see before a bright sky. Training takes crops.
dataset_type = 'mmcount.MNISTLego'
scene = dict(
    canvas=(320, 320),
    layout='single',
    merge_classes=True,
    class_mode='mixed',
    num_objects=(50, 300),
    part_size=13,
    scale_range=(0.7, 1.3),
    gain_range=(0.5, 1.0),
    max_overlap=0.05,
    background='photo',
    background_level=0.4,
)
common = dict(type=dataset_type, scene=scene)
num_workers = 0

codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='nwpu', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    # Boxes are not clipped: a digit at the border of a crop is as large as in the image.
    dict(type='mmdet.RandomCrop', crop_size=(128, 128), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(subset='train', num_samples=500, keep_scenes=True, pipeline=train_pipeline, **common),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', num_samples=50, keep_scenes=True, pipeline=test_pipeline, test_mode=True, **common),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', num_samples=200, pipeline=test_pipeline, test_mode=True, **common),
)

val_evaluator = dict(type='mmcount.LocalizationMetric')
test_evaluator = val_evaluator
