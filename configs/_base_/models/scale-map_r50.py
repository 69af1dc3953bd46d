# The scale network of IIM: ResNet-50 up to layer3 at stride 8, six dilated convolutions and SCAR's attention.
model = dict(
    type='mmcount.DenseCounter',
    # The statistics of JHU-Crowd++, as the released weights were used with.
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor',
        mean=[109.5694, 111.4618, 107.5950],
        std=[60.0651, 59.3050, 60.0767],
        bgr_to_rgb=True,
        pad_size_divisor=16,
    ),
    backbone=dict(
        type='mmdet.ResNet',
        depth=50,
        num_stages=3,
        strides=(1, 2, 1),
        dilations=(1, 1, 1),
        out_indices=(2,),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    head=dict(
        type='mmcount.ScaleMapHead',
        codec=dict(type='mmcount.ScaleMapCodec', window=199, step=16, overlap='last', stride=1),
        in_channels=1024,
        feat_channels=(512, 512, 512, 256, 128, 64),
        dilation=2,
        upsample=8,
    ),
    test_cfg=dict(tiles=dict(mode='average', size=(768, 1024), divisor=16)),
)
