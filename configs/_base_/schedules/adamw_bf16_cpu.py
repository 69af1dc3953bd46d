# Minutes on one CPU core: bfloat16, AdamW, a short warm-up and a cosine to zero at the end of the run.
_base_ = '../default_runtime.py'

max_iters = 3000
warm_up = max(1, min(100, max_iters // 10))

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max(1, max_iters // 3))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='mmcount.BFloat16OptimWrapper', optimizer=dict(type='AdamW', lr=0.004, weight_decay=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=warm_up),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, eta_min=0),
]

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max(1, max_iters // 3)))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
log_processor = dict(by_epoch=False)
