_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/voc07_counts.py',
    '../_base_/schedules/sgd_300e.py',
]

default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [dict(type='mmcount.RandomStateHook'), dict(type='mmcount.TrainingStageHook', milestones=(20,))]
randomness = dict(seed=999)
env_cfg = dict(cudnn_benchmark=True)
