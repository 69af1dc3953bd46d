# IIM with VGG16 and a feature pyramid (Gao et al. 2020): normalisation and ReLU on lateral and output convolutions, the
# levels concatenated at stride 4. The data set's config gives the codec, mean and standard deviation. Images of 2
# megapixels and more are tested in tiles, as published.
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=16),
    backbone=dict(
        type='mmcount.VGG',
        depth=16,
        with_bn=True,
        out_indices=(2, 3, 4),
        pooled=False,
        bn_eval=False,
        init_cfg=dict(type='Pretrained', checkpoint='https://download.pytorch.org/models/vgg16_bn-6c64b313.pth'),
    ),
    neck=[
        dict(
            type='mmdet.FPN',
            in_channels=[256, 512, 512],
            out_channels=256,
            num_outs=3,
            norm_cfg=dict(type='BN'),
            act_cfg=dict(type='ReLU'),
        ),
        dict(type='mmcount.ResizeConcat', mode='nearest'),
    ],
    head=dict(
        type='mmcount.InstanceMapHead',
        in_channels=768,
        binarizer=dict(type='mmcount.PixelThreshold', in_channels=768),
    ),
    test_cfg=dict(tiles=dict(mode='average', size=(512, 1024), divisor=16)),
)
