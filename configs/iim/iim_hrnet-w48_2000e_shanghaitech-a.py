"""IIM with HRNet-W48 on ShanghaiTech A, the schedule of the paper.

Command:  python tools/train.py configs/iim/iim_hrnet-w48_2000e_shanghaitech-a.py
Data:     ShanghaiTech A
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_hrnet-w48.py',
    '../_base_/datasets/shanghaitech_a.py',
    '../_base_/schedules/adam_poly.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
max_epochs = 2000
train_cfg = dict(max_epochs=max_epochs, val_begin=min(24, max_epochs))
