"""IIM with HRNet-W48 on FDST, the schedule of the paper.

Command:  python tools/train.py configs/iim/iim_hrnet-w48_166k_fdst.py
Data:     FDST
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_hrnet-w48.py',
    '../_base_/datasets/fdst.py',
    '../_base_/schedules/adam_poly.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))

# An "epoch" of FDST is 1000 frames, 166 batches: these are 1000 of them.
max_iters = 166000
train_cfg = dict(
    _delete_=True,
    type='IterBasedTrainLoop',
    max_iters=max_iters,
    val_begin=max(1, max_iters * 6 // 250),
    val_interval=max(1, max_iters // 250),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False)]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max(1, max_iters // 250)))
log_processor = dict(by_epoch=False)
