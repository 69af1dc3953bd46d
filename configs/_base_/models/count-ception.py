# Count-ception (Cohen et al. 2017): every cell of the map counts the objects of a 32 x 32 window.
model = dict(
    type='mmcount.DenseCounter',
    # Images in 0..1; the halo is the network's zero padding.
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor', mean=[0, 0, 0], std=[255, 255, 255], bgr_to_rgb=True),
    backbone=dict(
        type='mmcount.CountCeption',
        in_channels=3,
        window_size=32,
        norm_cfg=dict(type='BN', eps=1e-4),
        norm_eval=True,
    ),
    head=dict(type='mmcount.RedundantCountHead', norm_eval=True, loss=dict(type='mmdet.L1Loss')),
)
