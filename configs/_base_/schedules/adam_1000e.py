# The schedule of Count-ception: Adam at 0.005 for 1000 epochs, batches of 4; the checkpoint of the best validation.
_base_ = '../default_runtime.py'

max_epochs = 1000

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max(1, max_epochs // 100))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.005))
param_scheduler = []

default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=max(1, max_epochs // 20)))
# Statistics of the normalisation are those of the first training batches.
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=6),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
