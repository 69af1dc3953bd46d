"""ShanghaiTech part B: 400 / 316 images of 1024 x 768 with points of heads, at twice their size as published for IIM.

A tenth of the training images, drawn with the seed, is for validation. One image of them is left out: its annotation is
wrong.
Boxes are pseudo boxes, which tools/dataset_converters/pseudo_boxes.py writes; boxes_file=None reads points only.
"""

_base_ = './crowd.py'

data_root = 'data/ShanghaiTech/part_B/'
common = dict(type='mmcount.ShanghaiTechB', data_root=data_root, num_val=0.1, seed=0, boxes_file='pseudo_boxes.csv')

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[115.2643, 114.0487, 110.1554], std=[59.2672, 57.3561, 56.5693])
codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='shhb', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.ResizeToMinimum', scale=2.0),
    *_base_.crop,
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToMinimum', scale=2.0),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline, exclude=('IMG_108',), **common))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, exclude=('IMG_108',), **common))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))

val_evaluator = dict(sigmas=(4, 8))
test_evaluator = dict(sigmas=(4, 8))
