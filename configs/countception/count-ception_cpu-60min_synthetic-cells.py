_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/synthetic_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    _base_.normalise,
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.HaloCrop', codec=_base_.codec, size=96, extend=48),
    dict(type='mmcount.GenerateTarget', codec=_base_.codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

max_iters = 20000
decay_from = 19000
train_cfg = dict(max_iters=max_iters, val_interval=500)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(
        type='CosineAnnealingLR',
        by_epoch=False,
        begin=decay_from,
        end=max_iters,
        T_max=max_iters - decay_from,
        eta_min=0,
    ),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=250))
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=16),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
log_processor = dict(by_epoch=False)
