# The schedule of the paper: Adam at 0.005 for 1000 epochs, batches of 4; the checkpoint of the best validation.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1000, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.005))
param_scheduler = []
