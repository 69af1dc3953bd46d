"""CLCNet of six stages on Locount, binary digits.

Overlaps are 0.5 to 0.75. Standard deviations and weights are those of the released code; the paper does not say them.
The weight of the count loss is 0.1.

Command:  python tools/train.py configs/clcnet/clcnet-s6-cls2_r50_fpn_1x_locount.py
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

head, rcnn = _base_.model.roi_head.bbox_head[0], _base_.model.train_cfg.rcnn[0]

# A shelf has more boxes than the 100 of an image that mmdet keeps.
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CascadeCountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=56, base=2),
        num_stages=6,
        stage_loss_weights=[1, 0.833, 0.667, 0.5, 0.333, 0.167],
        bbox_head=[
            dict(
                head,
                type='mmcount.CountBBoxHead',
                num_classes=140,
                bbox_coder=dict(head.bbox_coder, target_stds=[xy, xy, wh, wh]),
            )
            for xy, wh in ((0.1, 0.2), (0.083, 0.167), (0.067, 0.133), (0.05, 0.1), (0.033, 0.067), (0.017, 0.033))
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(
                rcnn,
                assigner=dict(rcnn.assigner, pos_iou_thr=iou, neg_iou_thr=iou, min_pos_iou=iou),
                sampler=dict(rcnn.sampler, type='mmcount.CountRandomSampler'),
            )
            for iou in (0.5, 0.55, 0.6, 0.65, 0.7, 0.75)
        ],
    ),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)

del head, rcnn
