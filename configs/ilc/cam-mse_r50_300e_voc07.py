"""Counts of VOC 2007, baseline (Table 1): the mean of one map per class is its count.

Command:  python tools/train.py configs/ilc/cam-mse_r50_300e_voc07.py
Data:     VOC 2007
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/voc07_counts.py',
    '../_base_/schedules/sgd_300e.py',
]

model = dict(head=dict(_delete_=True, type='mmcount.PooledCountHead', num_classes=20, pooling='mean'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
