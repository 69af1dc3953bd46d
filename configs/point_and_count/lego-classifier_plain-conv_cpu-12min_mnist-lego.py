_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/lego_classifier.py',
    '../_base_/datasets/mnist_lego_classification.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

max_iters = 1400
train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 2)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=max_iters, T_max=max_iters - 100, eta_min=0),
]

model = dict(data_preprocessor=_base_.data_preprocessor, **_base_.classifier)

# Pictures show counts, which a classifier has none of.
default_hooks = dict(
    _delete_=True,
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=max_iters // 2,
        save_best='class/top1',
        rule='greater',
        max_keep_ckpts=2,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
)
custom_hooks = [dict(type='mmcount.RandomStateHook')]
log_processor = dict(by_epoch=False)
