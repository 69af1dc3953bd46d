"""CLCNet of one stage on Locount, the count as a number.

The weight of the count loss is 1e-4 in the paper, 0.1 in the released code.

Command:  python tools/train.py configs/clcnet/clcnet-s1-reg_r50_fpn_1x_locount.py
Data:     Locount
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_1x.py',
]

# The smooth L1 losses are those of Cascade R-CNN. A shelf has more boxes than the 100 of an image that mmdet keeps.
model = dict(
    type='mmcount.CLCNet',
    rpn_head=dict(loss_bbox=dict(_delete_=True, type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0)),
    roi_head=dict(
        type='mmcount.CountRoIHead',
        codec=dict(type='mmcount.CountRegressionCodec', max_count=56),
        bbox_head=dict(
            type='mmcount.CountBBoxHead',
            num_classes=140,
            loss_bbox=dict(_delete_=True, type='mmdet.SmoothL1Loss', beta=1.0, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(type='mmcount.CountRandomSampler'))),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
