"""FDST: 60 / 40 videos of 150 frames with boxes of heads.

A tenth of the training videos, drawn with the seed, is for validation.
"""

_base_ = './crowd.py'

data_root = 'data/FDST/'
common = dict(type='mmcount.FDST', data_root=data_root, num_val=0.1, seed=0)

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model;
# they are those of ShanghaiTech part B, as published IIM code takes them.
img_norm = dict(mean=[115.2643, 114.0487, 110.1554], std=[59.2672, 57.3561, 56.5693])
codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='fdst', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    *_base_.crop,
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(sampler=dict(type='InfiniteSampler'), dataset=dict(pipeline=train_pipeline, **common))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
