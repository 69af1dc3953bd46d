_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_classes.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=_base_.max_iters // 3, save_best='count/mRMSE', rule='less')
)
custom_hooks = [
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.TrainingStageHook', milestones=(50,), by_epoch=False),
]
log_processor = dict(by_epoch=False)
