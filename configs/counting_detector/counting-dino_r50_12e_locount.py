"""DINO with counts on Locount.

Command:  python tools/train.py configs/counting_detector/counting-dino_r50_12e_locount.py
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
        _base_='mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
        test_cfg=dict(max_per_img=150),
    ),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0001, weight_decay=0.0001),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[_base_.max_epochs * 11 // 12], gamma=0.1)]
