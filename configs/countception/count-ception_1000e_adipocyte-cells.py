"""Count-ception on adipocytes, the paper's schedule.

Command:  python tools/train.py configs/countception/count-ception_1000e_adipocyte-cells.py
Data:     Adipocyte cells
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here; the paper reports MAE 19.4 +- 2.2 at N = 50, on other files
"""

_base_ = [
    '../_base_/models/count-ception.py',
    '../_base_/datasets/adipocyte_cells.py',
    '../_base_/schedules/adam_1000e.py',
]

model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride), head=dict(codec=_base_.codec)
)
