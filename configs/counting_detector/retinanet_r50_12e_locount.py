"""RetinaNet on Locount: every box counts 1.

Command:  python tools/train.py configs/counting_detector/retinanet_r50_12e_locount.py
Data:     Locount
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

model = dict(bbox_head=dict(num_classes=140), test_cfg=dict(max_per_img=150))
optim_wrapper = dict(optimizer=dict(lr=0.01))
