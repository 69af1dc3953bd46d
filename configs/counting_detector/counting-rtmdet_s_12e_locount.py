"""RTMDet with counts on Locount.

Command:  python tools/train.py configs/counting_detector/counting-rtmdet_s_12e_locount.py
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
        _base_='mmdet::rtmdet/rtmdet_s_8xb32-300e_coco.py',
        test_cfg=dict(max_per_img=150),
    ),
    roi_extractor=dict(featmap_strides=[8, 16, 32], out_channels=128),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0005, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0, bypass_duplicate=True),
)
