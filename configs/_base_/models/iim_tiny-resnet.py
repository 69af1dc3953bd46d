# IIM with a ResNet cut after one stage, at stride 4, for objects of a dozen pixels. Thresholds are 4 pixels apart and
# means over 20 pixels: the size of an object and its neighbourhood, as 8 and 120 are for the heads of crowds.
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
        num_stages=1,
        strides=(1,),
        dilations=(1,),
        out_indices=(0,),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
    ),
    head=dict(
        type='mmcount.InstanceMapHead',
        in_channels=64,
        predictor=dict(upsample_channels=(16,)),
        binarizer=dict(
            type='mmcount.PixelThreshold',
            in_channels=64,
            feat_channels=(32, 16),
            feat_stride=4,
            threshold_stride=4,
            pool_size=5,
        ),
    ),
)
