# The schedule of CLCNet: 12 epochs of SGD, the rate divided by ten after 8 and 11, after a warm-up of 500 steps. As
# published the result is the checkpoint of the last epoch, there being no validation images; 0.02 is for 8 images a
# step. Another batch needs auto_scale_lr.enable=True; should 0.02 diverge, base_batch_size=16 is the rule of mmdet's
# own schedules.
_base_ = '../default_runtime.py'

max_epochs = 12

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, end=500),
    dict(type='MultiStepLR', by_epoch=True, milestones=[max_epochs * 2 // 3, max_epochs * 11 // 12], gamma=0.1),
]
auto_scale_lr = dict(enable=False, base_batch_size=8)

default_hooks = dict(checkpoint=dict(save_best=None, rule='greater'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
