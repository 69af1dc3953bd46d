# A ResNet cut after one stage, at stride 4: a cell sees little more than an object, so density and peaks stay on the
# objects, and it learns from scratch in minutes. Peaks are 20 pixels apart or more, about the size of an object.
# Without a pretrained backbone the class scores must not outweigh the counts, whose gradient is not multiplied by the
# number of peaks: hence the weights.
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(
        type='mmcount.CountDataPreprocessor', mean=[40] * 3, std=[60] * 3, bgr_to_rgb=True, channels_last=True
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
        type='mmcount.LowerCountHead',
        num_classes=10,
        in_channels=64,
        limit=4,
        branch_channels=64,
        peak_radius=4,
        loss_weights=dict(cls=0.2, rank=0.2, spatial_pos=0.1, spatial_neg=0.1),
    ),
)
