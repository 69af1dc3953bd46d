_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/voc12_segm.py',
    '../_base_/schedules/sgd_300e.py',
]

# Counts and instance masks (Cholakkal et al., CVPR 2019, Table 5); 0.8, 1e-5 and 0.2 weigh response, background and
# density. No proposals are read in training, so only the validation every 20 epochs does.
model = dict(_delete_=True, type='mmcount.PeakSegmentor', counter=_base_.model)
train_cfg = dict(val_interval=20)

default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [dict(type='mmcount.RandomStateHook'), dict(type='mmcount.TrainingStageHook', milestones=(20,))]
randomness = dict(seed=999)
env_cfg = dict(cudnn_benchmark=True)
