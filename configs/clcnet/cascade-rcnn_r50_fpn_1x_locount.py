"""Cascade R-CNN of three stages on Locount: every box counts 1.

Command:  python tools/train.py configs/clcnet/cascade-rcnn_r50_fpn_1x_locount.py
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
    roi_head=dict(
        bbox_head=[dict(head, num_classes=140) for head in _base_.model.roi_head.bbox_head],
    ),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
