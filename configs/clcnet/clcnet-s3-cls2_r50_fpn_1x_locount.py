"""CLCNet of three stages on Locount, binary digits.

The weight of the count loss is 0.1.

Command:  python tools/train.py configs/clcnet/clcnet-s3-cls2_r50_fpn_1x_locount.py
Data:     Locount
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_1x.py',
]

# A shelf has more boxes than the 100 of an image that mmdet keeps.
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CascadeCountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=56, base=2),
        bbox_head=[
            dict(head, type='mmcount.CountBBoxHead', num_classes=140) for head in _base_.model.roi_head.bbox_head
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(stage, sampler=dict(stage.sampler, type='mmcount.CountRandomSampler'))
            for stage in _base_.model.train_cfg.rcnn
        ],
    ),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
