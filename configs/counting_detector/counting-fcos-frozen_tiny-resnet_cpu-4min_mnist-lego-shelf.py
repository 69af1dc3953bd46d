"""Counts for a trained FCOS on shelves of digits, which stays what it is.

The detector is that of fcos_tiny-resnet_cpu-10min_mnist-lego-shelf, trained before; its boxes, classes and scores stay
what they are.

Command:  python tools/train.py configs/counting_detector/counting-fcos-frozen_tiny-resnet_cpu-4min_mnist-lego-shelf.py
Data:     MNIST-LEGO shelves
Hardware: one core of an AMD EPYC (Zen 4), beside other work
Time:     3 min 29 s
Figures:  AP 0.863, AP_lc 0.602 (300 test scenes, last checkpoint, seed 0; README.md)
"""

_base_ = [
    '../_base_/models/fcos_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

max_iters = 900
checkpoint = 'work_dirs/fcos_tiny-resnet_cpu-10min_mnist-lego-shelf/iter_2200.pth'
model = dict(
    _delete_=True,
    type='mmcount.CountingDetector',
    detector=dict(_base_.model, init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
    freeze_detector=True,
    backbone=dict(),
    roi_extractor=dict(featmap_strides=[8], out_channels=64),
    count_head=dict(
        codec=dict(type='mmcount.DigitCodec', max_count=20, base=10, num_stages=2),
        fc_out_channels=256,
        loss=dict(type='mmdet.CrossEntropyLoss', loss_weight=1.0),
    ),
    classes=('0', '2', '3', '4', '5', '8'),
    count_train_cfg=dict(source='both'),
)
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=max(1, min(50, max_iters // 10))),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=max(1, min(50, max_iters // 10)), eta_min=0),
]
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 3)))
