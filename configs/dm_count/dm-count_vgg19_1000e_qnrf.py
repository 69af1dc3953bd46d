"""DM-Count with VGG19 on UCF-QNRF.

Shorter sides of 512 to 2048 px, as published.

Command:  python tools/train.py configs/dm_count/dm-count_vgg19_1000e_qnrf.py
Data:     UCF-QNRF
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/dm-count_vgg19.py',
    '../_base_/datasets/qnrf.py',
    '../_base_/schedules/adam_constant.py',
]

codec = dict(_base_.model.head.codec)
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.ResizeToSideRange', short=(512, 2048)),
    dict(type='mmdet.RandomCrop', crop_size=(512, 512), allow_negative_crop=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToSideRange', short=(512, 2048)),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
train_dataloader = dict(batch_size=10, dataset=dict(pipeline=train_pipeline, boxes_file=None))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(weight_decay=1e-4))
