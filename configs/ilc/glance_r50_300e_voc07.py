"""Counts of VOC 2007, baseline: two layers on pooled features (Chattopadhyay et al., CVPR 2017).

Command:  python tools/train.py configs/ilc/glance_r50_300e_voc07.py
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

model = dict(head=dict(_delete_=True, type='mmcount.GlanceHead', num_classes=20, in_channels=2048))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
