"""ILC on VOC 2007 as the paper prints it, where the released code differs.

Losses are averaged within each image first, and the derivative is that of the mean of the peaks.

Command:  python tools/train.py configs/ilc/ilc-per-image_r50_300e_voc07.py
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

model = dict(head=dict(reduction='image', grad='mean'))
