# Count-ception for short training on a CPU: windows on a grid of stride 4, a plain last layer that starts at the mean
# of the target, and smooth L1. Pure L1 seeks the median of crowded windows and counts too few until it has found them.
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor',
        mean=[0, 0, 0],
        std=[255, 255, 255],
        bgr_to_rgb=True,
        channels_last=True,
    ),
    backbone=dict(
        type='mmcount.CountCeption',
        in_channels=3,
        window_size=32,
        stride=4,
        norm_cfg=dict(type='BN', eps=1e-4),
        norm_eval=True,
    ),
    head=dict(
        type='mmcount.RedundantCountHead',
        norm_cfg=None,
        act_cfg=None,
        init_bias='target_mean',
        loss=dict(type='mmdet.SmoothL1Loss', beta=1.0),
    ),
)
