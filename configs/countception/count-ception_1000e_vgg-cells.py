"""Count-ception on VGG cells, the paper's schedule.

Command:  python tools/train.py configs/countception/count-ception_1000e_vgg-cells.py
Data:     VGG cells
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here; the paper reports MAE 2.4 +- 0.4 at N = 32
"""

_base_ = [
    '../_base_/models/count-ception.py',
    '../_base_/datasets/vgg_cells.py',
    '../_base_/schedules/adam_1000e.py',
]

model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride), head=dict(codec=_base_.codec)
)
