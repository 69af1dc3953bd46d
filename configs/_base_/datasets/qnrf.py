"""UCF-QNRF: 1,201 / 334 large images with points of heads.

A fifth of the training images, drawn with the seed, is for validation.
Boxes are pseudo boxes, which tools/dataset_converters/pseudo_boxes.py writes; boxes_file=None reads points only.
"""

_base_ = './crowd.py'

data_root = 'data/UCF-QNRF_ECCV18/'
common = dict(type='mmcount.UCFQNRF', data_root=data_root, num_val=0.2, seed=0, boxes_file='pseudo_boxes.csv')

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[105.4491, 96.5226, 94.7623], std=[72.6366, 70.6468, 71.7850])
codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='qnrf', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.ResizeToMinimum', rounding='up'),
    *_base_.crop,
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToMinimum', rounding='up'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **common))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))

val_evaluator = dict(sigma_ranges=[(1, 100)])
test_evaluator = dict(sigma_ranges=[(1, 100)])
