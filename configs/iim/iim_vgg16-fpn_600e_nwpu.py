"""IIM with VGG16 with a feature pyramid on NWPU-Crowd, the schedule of the paper.

Command:  python tools/train.py configs/iim/iim_vgg16-fpn_600e_nwpu.py
Data:     NWPU-Crowd
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_vgg16-fpn.py',
    '../_base_/datasets/nwpu.py',
    '../_base_/schedules/adam_poly.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.02)}))
