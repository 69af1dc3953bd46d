"""Sparse R-CNN with counts on Locount.

Command:  python tools/train.py configs/counting_detector/counting-sparse-rcnn_r50_12e_locount.py
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
        _base_='mmdet::sparse_rcnn/sparse-rcnn_r50_fpn_300-proposals_crop-ms-480-800-3x_coco.py',
        test_cfg=dict(rcnn=dict(max_per_img=150)),
    ),
    roi_extractor=dict(featmap_strides=[4, 8, 16, 32]),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.000025, weight_decay=0.0001),
    clip_grad=dict(max_norm=1, norm_type=2),
)
