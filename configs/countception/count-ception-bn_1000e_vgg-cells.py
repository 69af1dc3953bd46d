"""Count-ception on VGG cells, with the statistics of each batch, as the paper prints it.

Running averages differ from the statistics of a batch of 4, so expect a drifting bias of the count.

Command:  python tools/train.py configs/countception/count-ception-bn_1000e_vgg-cells.py
Data:     VGG cells
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/count-ception.py',
    '../_base_/datasets/vgg_cells.py',
    '../_base_/schedules/adam_1000e.py',
]

model = dict(
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride, norm_eval=False),
    head=dict(codec=_base_.codec, norm_eval=False),
)
