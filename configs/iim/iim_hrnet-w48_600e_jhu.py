"""IIM with HRNet-W48 on JHU-Crowd++, the schedule of the paper.

Command:  python tools/train.py configs/iim/iim_hrnet-w48_600e_jhu.py
Data:     JHU-Crowd++
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_hrnet-w48.py',
    '../_base_/datasets/jhu.py',
    '../_base_/schedules/adam_poly.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
