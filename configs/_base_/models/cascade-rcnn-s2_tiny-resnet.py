# Cascade R-CNN of two stages that learns from scratch in minutes on one CPU core. Features are of stride 4, as the
# members of a stack are a few pixels apart; stacks are up to five times as long as wide.
_base_ = './cascade-rcnn-s2_r50_fpn.py'

model = dict(
    data_preprocessor=dict(mean=[40] * 3, std=[60] * 3, pad_size_divisor=16),
    backbone=dict(
        _delete_=True,
        type='mmdet.ResNet',
        depth=18,
        deep_stem=True,
        stem_channels=16,
        base_channels=32,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(0, 1, 2),
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=False,
        style='pytorch',
    ),
    neck=dict(in_channels=[32, 64, 128], out_channels=32, num_outs=3),
    rpn_head=dict(
        in_channels=32,
        feat_channels=32,
        anchor_generator=dict(scales=[5], ratios=[0.25, 0.5, 1.0, 2.0, 4.0], strides=[4, 8, 16]),
    ),
    roi_head=dict(
        # One level for boxes of all sizes: what one object looks like must not depend on the length of its stack.
        bbox_roi_extractor=dict(out_channels=32, featmap_strides=[4]),
        bbox_head=[
            dict(head, in_channels=32, fc_out_channels=256, num_classes=6) for head in _base_.model.roi_head.bbox_head
        ],
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=128)),
        rpn_proposal=dict(nms_pre=300, max_per_img=200),
        rcnn=[dict(stage, sampler=dict(stage.sampler, num=64)) for stage in _base_.model.train_cfg.rcnn],
    ),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=200), rcnn=dict(max_per_img=60)),
)
