# Minutes on two CPU cores: bfloat16, Adam, a short warm-up and a cosine to zero at the end of the run.
_base_ = '../default_runtime.py'

max_iters = 1500
warm_up = max(1, min(20, max_iters // 10))

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max(1, max_iters // 2))
# Tested in the precision it was trained in: the last steps adapt to the rounded weights.
val_cfg = dict(type='ValLoop', fp16=True)
test_cfg = dict(type='TestLoop', fp16=True)

# Adam moves every weight by about the learning rate. The weights of the two large kernels are ten times smaller than
# the others, as thousands of inputs share a sum, so their steps have to be.
optim_wrapper = dict(
    type='mmcount.BFloat16OptimWrapper',
    optimizer=dict(type='Adam', lr=0.002),
    paramwise_cfg=dict(
        custom_keys={'backbone.conv4.conv': dict(lr_mult=0.2), 'backbone.conv9.conv': dict(lr_mult=0.1)}
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=warm_up),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, eta_min=0),
]

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max(1, max_iters // 2)))
# Statistics of the normalisation are those of the first training batches.
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=6),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
log_processor = dict(by_epoch=False)
