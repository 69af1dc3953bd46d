"""Counts for a trained RetinaNet on Locount, which stays what it is.

The detector is that of retinanet_r50_12e_locount, trained before.

Command:  python tools/train.py configs/counting_detector/counting-retinanet-frozen_r50_3e_locount.py
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

max_epochs = 3
model = dict(
    freeze_detector=True,
    detector=dict(
        _base_='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        test_cfg=dict(max_per_img=150),
        backbone=dict(init_cfg=None),
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/retinanet_r50_12e_locount/epoch_12.pth'),
    ),
    count_train_cfg=dict(source='both'),
)
train_cfg = dict(max_epochs=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=500),
    dict(type='MultiStepLR', by_epoch=True, milestones=[max_epochs * 2 // 3], gamma=0.1),
]
