"""Count-ception on bone marrow nuclei, the paper's schedule.

Command:  python tools/train.py configs/countception/count-ception_1000e_mbm-cells.py
Data:     MBM cells
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here; the paper reports MAE 8.8 +- 2.3 at N = 15
"""

_base_ = [
    '../_base_/models/count-ception.py',
    '../_base_/datasets/mbm_cells.py',
    '../_base_/schedules/adam_1000e.py',
]

model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride), head=dict(codec=_base_.codec)
)
