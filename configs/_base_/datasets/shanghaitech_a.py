"""ShanghaiTech part A: 300 / 182 images with points of heads, at twice their size as published for IIM.

A tenth of the training images, drawn with the seed, is for validation.
Boxes are pseudo boxes, which tools/dataset_converters/pseudo_boxes.py writes; boxes_file=None reads points only.
"""

_base_ = './crowd.py'

data_root = 'data/ShanghaiTech/part_A/'
common = dict(type='mmcount.ShanghaiTechA', data_root=data_root, num_val=0.1, seed=0, boxes_file='pseudo_boxes.csv')

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[104.7603, 94.5119, 91.7189], std=[71.0380, 68.6591, 69.2487])
codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='shha', outside='paint', stride=1)

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

train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **common))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))

val_evaluator = dict(sigmas=(4, 8))
test_evaluator = dict(sigmas=(4, 8))
