"""ILC on PASCAL VOC 2007, the schedule of the paper.

Command:  python tools/train.py configs/ilc/ilc_r50_300e_voc07.py
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
