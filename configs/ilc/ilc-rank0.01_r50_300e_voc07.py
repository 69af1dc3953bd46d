"""ILC on VOC 2007, ablation (Table 2): 0.01 as the weight of the ranking term.

Command:  python tools/train.py configs/ilc/ilc-rank0.01_r50_300e_voc07.py
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

model = dict(head=dict(loss_weights=dict(rank=0.01)))
