"""Count-ception on generated cells, of which none is seen twice.

The first images are easy and become harder one by one; the rate stays until the last twentieth of the run.

Command:  python tools/train.py configs/countception/count-ception_cpu-40min_synthetic-cells.py
Data:     Generated cells
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/synthetic_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride), head=dict(codec=_base_.codec)
)

max_iters = 20000
warm_up = max(1, min(50, max_iters // 10))
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 40))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=warm_up),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=max_iters * 19 // 20, eta_min=0),
]
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 80)))
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=16),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
