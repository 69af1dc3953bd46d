_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/mnist_lego.py',
    '../_base_/schedules/bf16_cpu.py',
]

max_iters = 450
train_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.HaloCrop', codec=_base_.codec, size=96, extend=48),
    dict(type='mmcount.GenerateTarget', codec=_base_.codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

# Half of a digit of 14 px: a point within it lies on its digit.
points = dict(type='mmcount.LocalizationMetric', sigmas=(7,))
val_evaluator = [_base_.val_evaluator, points]
test_evaluator = [_base_.test_evaluator, points]

train_cfg = dict(max_iters=max_iters, val_interval=max_iters // 3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, T_max=max_iters - 20, eta_min=0),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max_iters // 3))
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=6),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
log_processor = dict(by_epoch=False)
