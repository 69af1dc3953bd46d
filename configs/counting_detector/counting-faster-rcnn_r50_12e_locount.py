"""Faster R-CNN with counts on Locount.

Command:  python tools/train.py configs/counting_detector/counting-faster-rcnn_r50_12e_locount.py
Data:     Locount
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/counting_detector.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

model = dict(
    detector=dict(
        _base_='mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
        test_cfg=dict(rcnn=dict(max_per_img=150)),
    ),
    roi_extractor=dict(featmap_strides=[4, 8, 16, 32]),
)
