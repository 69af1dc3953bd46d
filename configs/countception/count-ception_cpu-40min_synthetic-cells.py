"""Count-ception on generated cells, of which none is seen twice: the recipe of the model `cells`.

The first images are easy and become harder one by one.

Command:  python tools/train.py configs/countception/count-ception_cpu-40min_synthetic-cells.py
Data:     Generated cells
Hardware: one core of an Intel Xeon with AMX
Time:     about 42 min of process time
Figures:  MAE 21.09, F1 0.841 (100 own test scenes, F1 at 5 px)
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/synthetic_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride), head=dict(codec=_base_.codec)
)

# The rate stays for a third of the run, falls along a cosine, and goes straight to zero in the last quarter.
max_iters = 3250
part = max(1, max_iters // 65)
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters * 10 // 65))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=part),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=22 * part, end=50 * part, T_max=64 * part, eta_min=0),
    dict(type='LinearLR', by_epoch=False, begin=50 * part, start_factor=1.0, end_factor=0.0),
]
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters * 5 // 65)))
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=16),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
