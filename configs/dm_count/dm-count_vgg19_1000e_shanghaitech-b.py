"""DM-Count with VGG19 on ShanghaiTech B.

Command:  python tools/train.py configs/dm_count/dm-count_vgg19_1000e_shanghaitech-b.py
Data:     ShanghaiTech B
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/dm-count_vgg19.py',
    '../_base_/datasets/shanghaitech_b.py',
    '../_base_/schedules/adam_constant.py',
]

codec = dict(_base_.model.head.codec)
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    # Enlarges images whose sides are below the crop, and leaves others as they are.
    dict(
        type='mmcount.RandomScaleToMultiple',
        scale_range=(1.0, 1.0),
        min_size=(512, 512),
        divisor=1,
        interpolation='bicubic',
    ),
    dict(type='mmdet.RandomCrop', crop_size=(512, 512), allow_negative_crop=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
train_dataloader = dict(batch_size=10, dataset=dict(pipeline=train_pipeline, boxes_file=None))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
