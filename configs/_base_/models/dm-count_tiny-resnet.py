# DM-Count with a ResNet cut after two stages, at stride 8, for objects of a dozen pixels, from scratch.
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor',
        mean=[60] * 3,
        std=[60] * 3,
        bgr_to_rgb=True,
        pad_size_divisor=8,
        channels_last=True,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=18,
        deep_stem=True,
        stem_channels=32,
        base_channels=64,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        out_indices=(1,),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
    ),
    head=dict(
        type='mmcount.DistributionMatchingHead',
        codec=dict(type='mmcount.DotMapCodec', stride=8),
        in_channels=128,
        feat_channels=(128, 64),
        upsample=1,
        norm_cfg=dict(type='BN'),
    ),
)
