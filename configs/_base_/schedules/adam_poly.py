# The schedule of IIM with its runtime: Adam with L2 decay of the predictor only, polynomial decay per iteration, the
# thresholds ten times slower (with VGG16 fifty times). Validation every 4 epochs, from the 24th on; the checkpoint of
# the best F1 on validation images is the result.
max_epochs = 600

train_cfg = dict(
    type='EpochBasedTrainLoop', max_epochs=max_epochs, val_begin=min(24, max_epochs), val_interval=min(4, max_epochs)
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-5, weight_decay=1e-5),
    paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.1, decay_mult=0.0)}),
)
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=True, convert_to_iter_based=True)]

default_scope = 'mmcount'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=min(4, max_epochs), save_best='loc/F1_l', rule='greater', max_keep_ckpts=2
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='mmcount.CountVisualizationHook'),
    config_check=dict(type='mmcount.ConfigCheckHook'),
)
custom_hooks = [dict(type='mmcount.RandomStateHook')]
env_cfg = dict(
    cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
visualizer = dict(type='mmcount.CountVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=3035)
