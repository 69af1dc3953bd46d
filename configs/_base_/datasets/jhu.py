"""JHU-Crowd++: 2,272 / 500 / 1,600 images with boxes of heads.

Boxes are squares of the longer side as published, in training and in evaluation.
"""

_base_ = './crowd.py'

data_root = 'data/jhu_crowd_v2.0/'
common = dict(type='mmcount.JHUCrowd', data_root=data_root, square_boxes=True)

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[109.5694, 111.4618, 107.6046], std=[60.0651, 59.3049, 60.0767])
codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='jhu', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.ResizeToMinimum'),
    *_base_.crop,
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToMinimum'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **common))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
