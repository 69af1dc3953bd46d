"""Sizes of digits of about ten pixels, from scratch on one CPU core.

Command:  python tools/train.py configs/iim/scale-map_tiny-resnet_cpu-10min_mnist-lego-dense.py
Data:     MNIST-LEGO dense
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/datasets/mnist_lego_dense.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

# The window is as large as a digit.
codec = dict(type='mmcount.ScaleMapCodec', window=11, step=1, min_log_area=2, overlap='smallest', stride=1)
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor',
        mean=[60] * 3,
        std=[60] * 3,
        bgr_to_rgb=True,
        pad_size_divisor=4,
        channels_last=True,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        deep_stem=True,
        stem_channels=32,
        base_channels=64,
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
    ),
    head=dict(
        type='mmcount.ScaleMapHead',
        codec=codec,
        in_channels=64,
        feat_channels=(64, 32),
        dilation=1,
        upsample=4,
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='Kaiming', layer='Conv2d'),
    ),
)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmdet.RandomCrop', crop_size=(128, 128), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(_delete_=True, type='mmcount.SizeMetric')
test_evaluator = dict(_delete_=True, type='mmcount.SizeMetric')

warm_up = max(1, min(50, _base_.max_iters // 10))
train_cfg = dict(val_interval=max(1, _base_.max_iters // 2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=warm_up),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, eta_min=0),
]
default_hooks = dict(
    checkpoint=dict(interval=max(1, _base_.max_iters // 2), save_best='size/log_area_MAE', rule='less')
)
