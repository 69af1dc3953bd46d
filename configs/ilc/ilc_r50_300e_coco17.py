_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/coco17_counts.py',
    '../_base_/schedules/sgd_300e.py',
]

# One in ten of the empty pairs of classes that few images of a batch hold takes part in the losses.
model = dict(head=dict(num_classes=80, negative_sampling=dict(rare_below=0.3, keep_prob=0.1)))

default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [dict(type='mmcount.RandomStateHook'), dict(type='mmcount.TrainingStageHook', milestones=(20,))]
randomness = dict(seed=999)
env_cfg = dict(cudnn_benchmark=True)
