"""Images of crowds for localisation: loaders, augmentation and score that all crowd data sets share.

A data set's own file names its reader, its pixel statistics and its codec, and puts the pipelines together.
"""

num_workers = 6

crop = [
    dict(type='mmcount.RandomScaleToMultiple', scale_range=(0.8, 1.2), min_size=(512, 1024), divisor=32),
    # Width and height. Boxes are not clipped: a head at the border of a crop is as large as in the image.
    dict(type='mmdet.RandomCrop', crop_size=(1024, 512), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
]

train_dataloader = dict(
    batch_size=6,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    # Heads that the annotation puts up to a pixel over the border take part in training.
    dataset=dict(subset='train', outside='snap'),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 2),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 2),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', test_mode=True),
)

val_evaluator = dict(type='mmcount.LocalizationMetric')
test_evaluator = dict(type='mmcount.LocalizationMetric')
