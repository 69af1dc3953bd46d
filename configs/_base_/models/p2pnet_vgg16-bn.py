# P2PNet (Song et al. 2021): VGG16 with batch normalisation, conv5_3 added to conv4_3, 2 x 2 proposals for every 8 px.
# The crops of 128 px that it is trained on need no padding, test images are padded to multiples of 128 px.
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=128,
    ),
    backbone=dict(
        type='mmcount.VGG',
        depth=16,
        with_bn=True,
        out_indices=(3, 4),
        pooled=False,
        bn_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='https://download.pytorch.org/models/vgg16_bn-6c64b313.pth'),
    ),
    head=dict(
        type='mmcount.PointProposalHead',
        codec=dict(type='mmcount.PointProposalCodec', rows=2, columns=2, stride=8),
        in_channels=(512, 512),
        feat_channels=256,
        distance_weight=0.05,
        background_weight=0.5,
        loss_point_weight=2e-4,
    ),
)
