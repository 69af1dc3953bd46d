_base_ = './iim_hrnet-w48_1000e_qnrf.py'

# Squares around the points, as large as the nearest other head allows: nothing but the published files is needed.
codec = dict(type='mmcount.InstanceMapCodec', geometry='points', outside='paint', stride=1)
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.ResizeToMinimum', rounding='up'),
    dict(type='mmcount.RandomScaleToMultiple', scale_range=(0.8, 1.2), min_size=(512, 1024), divisor=32),
    dict(type='mmdet.RandomCrop', crop_size=(1024, 512), allow_negative_crop=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToMinimum', rounding='up'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, boxes_file=None))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))

model = dict(head=dict(codec=dict(_delete_=True, **codec)))
default_hooks = dict(checkpoint=dict(save_best='loc/F1_sigma1to100'))
