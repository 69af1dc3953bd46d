"""IIM with VGG16 with a feature pyramid on ShanghaiTech B, the schedule of the paper.

Command:  python tools/train.py configs/iim/iim_vgg16-fpn_1000e_shanghaitech-b.py
Data:     ShanghaiTech B
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_vgg16-fpn.py',
    '../_base_/datasets/shanghaitech_b.py',
    '../_base_/schedules/adam_poly.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.02)}))
max_epochs = 1000
train_cfg = dict(max_epochs=max_epochs, val_begin=min(24, max_epochs))
