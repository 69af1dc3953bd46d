"""P2PNet with VGG16 on ShanghaiTech A.

The settings of the released code. An epoch sees one crop of each image, so 14000 are its 3500 of four crops.

Command:  python tools/train.py configs/p2pnet/p2pnet_vgg16-bn_14000e_shanghaitech-a.py
Data:     ShanghaiTech A
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/p2pnet_vgg16-bn.py',
    '../_base_/datasets/shanghaitech_a.py',
    '../_base_/schedules/adam_constant.py',
]

codec = dict(_base_.model.head.codec)
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.RandomScaleToMultiple', scale_range=(0.7, 1.3), min_size=(128, 128), divisor=1),
    dict(type='mmdet.RandomCrop', crop_size=(128, 128), allow_negative_crop=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
# 8 images of 4 crops each in the released code.
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline, boxes_file=None))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
val_evaluator = [
    dict(type='mmcount.CountMetric'),
    dict(type='mmcount.CalibrationMetric'),
    dict(type='mmcount.LocalizationMetric', sigmas=(4, 8)),
]
test_evaluator = val_evaluator

max_epochs = 14000
train_cfg = dict(max_epochs=max_epochs, val_begin=min(20, max_epochs), val_interval=min(20, max_epochs))
optim_wrapper = dict(
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=0.1),
)
default_hooks = dict(checkpoint=dict(interval=min(20, max_epochs)))
