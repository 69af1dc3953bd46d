"""ILC on COCO 2014, the schedule of the paper.

Command:  python tools/train.py configs/ilc/ilc_r50_300e_coco14.py
Data:     COCO 2014
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/coco14_counts.py',
    '../_base_/schedules/sgd_300e.py',
]

# One in ten of the empty pairs of classes that few images of a batch hold takes part in the losses.
model = dict(head=dict(num_classes=80, negative_sampling=dict(rare_below=0.3, keep_prob=0.1)))
