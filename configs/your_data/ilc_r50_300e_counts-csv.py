"""ILC on your own images with a table of counts, on a GPU.

Command:  python tools/train.py configs/your_data/ilc_r50_300e_counts-csv.py \\
              --cfg-options data_root=my_data ann_file=counts.csv classes=live,dead
Data:     Own images
Hardware: made for GPUs
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/counts_csv.py',
    '../_base_/schedules/sgd_300e.py',
]

model = dict(head=dict(num_classes=len(_base_.classes), limit=_base_.limit))
