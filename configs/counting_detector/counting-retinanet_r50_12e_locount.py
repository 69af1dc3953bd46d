"""RetinaNet with counts on Locount.

Command:  python tools/train.py configs/counting_detector/counting-retinanet_r50_12e_locount.py
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
        _base_='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        test_cfg=dict(max_per_img=150),
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.01))
