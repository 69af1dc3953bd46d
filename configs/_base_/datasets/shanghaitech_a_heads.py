# ShanghaiTech part A for localisation, at twice its size as published. Boxes are pseudo boxes:
# tools/dataset_converters/pseudo_boxes.py writes them.
_base_ = './shanghaitech_a.py'

codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='shha', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.ResizeToMinimum', scale=2.0),
    dict(type='mmcount.RandomScaleToMultiple', scale_range=(0.8, 1.2), min_size=(512, 1024), divisor=32),
    # Width and height. Boxes are not clipped: a head at the border of a crop is as large as in the image.
    dict(type='mmdet.RandomCrop', crop_size=(1024, 512), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToMinimum', scale=2.0),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=6, num_workers=6, drop_last=True, dataset=dict(pipeline=train_pipeline, boxes_file='pseudo_boxes.csv')
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file='pseudo_boxes.csv'))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file='pseudo_boxes.csv'))

val_evaluator = dict(_delete_=True, type='mmcount.LocalizationMetric', sigmas=(4, 8))
test_evaluator = val_evaluator
