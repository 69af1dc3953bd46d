# One look at every image instead of a descent. The runner wants an optimizer of every training; nothing uses this one.
_base_ = '../default_runtime.py'

train_cfg = dict(type='mmcount.FitLoop')
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0))

# There is nothing to average and no best: one fit, one checkpoint. Scores are shares of the heat, and all shown.
default_hooks = dict(
    checkpoint=dict(save_best=None, rule=None, save_optimizer=False),
    visualization=dict(score_thr=0.0),
)
custom_hooks = []
