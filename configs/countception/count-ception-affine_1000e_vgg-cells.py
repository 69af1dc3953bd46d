"""Count-ception on VGG cells, trained as the released code does.

A scale and shift in place of batch normalisation, raw 0..255 images, Adam at 5e-5, batches of 2 in a fixed order.

Command:  python tools/train.py configs/countception/count-ception-affine_1000e_vgg-cells.py
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

norm_cfg = dict(type='mmcount.ChannelAffine')

model = dict(
    data_preprocessor=dict(std=[1, 1, 1]),
    backbone=dict(window_size=_base_.codec.window_size, stride=_base_.codec.stride, norm_cfg=norm_cfg, norm_eval=False),
    head=dict(codec=_base_.codec, norm_cfg=norm_cfg, norm_eval=False),
)
train_dataloader = dict(batch_size=2, sampler=dict(shuffle=False))
optim_wrapper = dict(optimizer=dict(lr=0.00005))
train_cfg = dict(val_interval=1)
