# One look at every image instead of a descent. The runner wants an optimizer of every training; nothing uses this one.
train_cfg = dict(type='mmcount.FitLoop')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
