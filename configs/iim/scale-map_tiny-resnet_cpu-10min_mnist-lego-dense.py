# Sizes of digits of about ten pixels, from scratch on one CPU core. The window is as large as a digit.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/datasets/mnist_lego_dense.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

max_iters = 3000
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
val_evaluator = dict(type='mmcount.SizeMetric', _delete_=True)
test_evaluator = val_evaluator

train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, T_max=max_iters - 50, eta_min=0),
]
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters // 2, save_best='size/log_area_MAE', rule='less')
)
custom_hooks = [dict(type='mmcount.RandomStateHook')]
log_processor = dict(by_epoch=False)
