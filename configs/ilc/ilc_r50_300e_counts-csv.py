_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/counts_csv.py',
    '../_base_/schedules/sgd_300e.py',
]

# One's own images with a table of counts. For several classes name them in `classes` and set num_classes to their
# number.
model = dict(head=dict(num_classes=1))

default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [dict(type='mmcount.RandomStateHook'), dict(type='mmcount.TrainingStageHook', milestones=(20,))]
randomness = dict(seed=999)
env_cfg = dict(cudnn_benchmark=True)
