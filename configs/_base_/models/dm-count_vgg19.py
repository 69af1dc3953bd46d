# DM-Count (Wang et al. 2020): VGG19 without its last pooling, enlarged twice, and a density of people per 8 x 8 px.
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=16,
    ),
    backbone=dict(
        type='mmcount.VGG',
        depth=19,
        out_indices=(4,),
        pooled=False,
        init_cfg=dict(type='Pretrained', checkpoint='https://download.pytorch.org/models/vgg19-dcbb9e9d.pth'),
    ),
    head=dict(
        type='mmcount.DistributionMatchingHead',
        codec=dict(type='mmcount.DotMapCodec', stride=8),
        in_channels=512,
        feat_channels=(256, 128),
        upsample=2,
        align_corners=True,
        count_weight=1.0,
        ot_weight=0.1,
        tv_weight=0.01,
        reg=10.0,
        max_iters=100,
    ),
)
