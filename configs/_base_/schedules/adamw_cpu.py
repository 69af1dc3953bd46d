# Minutes on one CPU core, for detectors: AdamW, a short warm-up and a cosine to zero at the end of the run. The best
# checkpoint is that of the highest AP of boxes and counts.
_base_ = '../default_runtime.py'

max_iters = 2200
warm_up = max(1, min(100, max_iters // 10))

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max(1, max_iters // 2))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.002, weight_decay=0.01), clip_grad=dict(max_norm=10)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=warm_up),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, eta_min=0),
]

default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max(1, max_iters // 2), save_best='locount/AP_lc', rule='greater')
)
custom_hooks = [dict(type='mmcount.RandomStateHook')]
log_processor = dict(by_epoch=False)
