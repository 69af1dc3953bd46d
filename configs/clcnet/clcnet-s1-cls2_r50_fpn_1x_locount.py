"""CLCNet of one stage on Locount, binary digits.

The weight of the count loss is 0.1.

Command:  python tools/train.py configs/clcnet/clcnet-s1-cls2_r50_fpn_1x_locount.py
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
        codec=dict(type='mmcount.DigitCodec', max_count=56, base=2),
        bbox_head=dict(
            type='mmcount.CountBBoxHead',
            num_classes=140,
            loss_bbox=dict(_delete_=True, type='mmdet.SmoothL1Loss', beta=1.0, loss_weight=1.0),
        ),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(type='mmcount.CountRandomSampler'))),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
