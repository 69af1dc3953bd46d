# Minutes on two CPU cores: bfloat16, Adam, a short warm-up and a cosine to zero.
max_iters = 1500

train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters // 2)
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
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=20, end=max_iters, T_max=max_iters - 20, eta_min=0),
]
