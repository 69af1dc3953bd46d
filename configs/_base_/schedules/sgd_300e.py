# Cholakkal et al., CVPR 2019, as released: SGD, the backbone a hundred times slower than the new layers, the rate
# halved every 50 epochs; 20 epochs of stage 1; the checkpoint of the best validation.
_base_ = '../default_runtime.py'

max_epochs = 300

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.01)}),
)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[max_epochs * k // 6 for k in range(1, 6)], gamma=0.5, by_epoch=True)
]

default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.TrainingStageHook', milestones=(max(1, max_epochs // 15),)),
]
env_cfg = dict(cudnn_benchmark=True)
randomness = dict(seed=999)
