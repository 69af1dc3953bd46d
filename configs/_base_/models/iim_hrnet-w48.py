# IIM with HRNet-W48 (Gao et al. 2020): features at stride 4 of all resolutions, confidence at full resolution, a
# threshold for every 8 x 8 pixels. The data set's config gives the codec, mean and standard deviation. Images of 2
# megapixels and more are tested in tiles, as published.
norm_cfg = dict(type='BN', momentum=0.01)

model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=16),
    backbone=dict(
        type='mmcount.BilinearHRNet',
        extra=dict(
            stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,), num_channels=(64,)),
            stage2=dict(num_modules=1, num_branches=2, block='BASIC', num_blocks=(4, 4), num_channels=(48, 96)),
            stage3=dict(num_modules=4, num_branches=3, block='BASIC', num_blocks=(4, 4, 4), num_channels=(48, 96, 192)),
            stage4=dict(
                num_modules=3, num_branches=4, block='BASIC', num_blocks=(4, 4, 4, 4), num_channels=(48, 96, 192, 384)
            ),
        ),
        norm_cfg=norm_cfg,
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w48'),
    ),
    neck=dict(type='mmcount.ResizeConcat', mode='bilinear'),
    head=dict(
        type='mmcount.InstanceMapHead',
        in_channels=720,
        predictor=dict(norm_cfg=norm_cfg, init_cfg=dict(type='Normal', layer='Conv2d', std=0.001)),
        binarizer=dict(type='mmcount.PixelThreshold', in_channels=720),
    ),
    test_cfg=dict(tiles=dict(mode='average', size=(512, 1024), divisor=16)),
)
