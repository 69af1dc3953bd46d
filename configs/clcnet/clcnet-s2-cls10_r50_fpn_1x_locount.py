"""CLCNet of two stages on Locount, decimal digits.

The weight of the count loss is 0.1.

Command:  python tools/train.py configs/clcnet/clcnet-s2-cls10_r50_fpn_1x_locount.py
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
        codec=dict(type='mmcount.DigitCodec', max_count=56, base=10),
        num_stages=2,
        stage_loss_weights=[1, 0.5],
        bbox_head=[
            dict(_base_.model.roi_head.bbox_head[stage], type='mmcount.CountBBoxHead', num_classes=140)
            for stage in (0, 2)
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(stage, sampler=dict(stage.sampler, type='mmcount.CountRandomSampler'))
            for stage in _base_.model.train_cfg.rcnn[::2]
        ],
    ),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
