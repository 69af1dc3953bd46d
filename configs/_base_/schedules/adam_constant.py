# The schedule of P2PNet and DM-Count with its runtime: Adam at a constant rate, validation every 5 epochs; the
# checkpoint of the best mean absolute error on validation images is the result.
max_epochs = 1000

train_cfg = dict(
    type='EpochBasedTrainLoop',
    max_epochs=max_epochs,
    val_begin=min(50, max_epochs),
    val_interval=min(5, max_epochs),
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-5))
param_scheduler = []

default_scope = 'mmcount'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook', interval=min(5, max_epochs), save_best='count/MAE', rule='less', max_keep_ckpts=2
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='mmcount.CountVisualizationHook'),
    config_check=dict(type='mmcount.ConfigCheckHook'),
)
custom_hooks = [dict(type='mmcount.RandomStateHook'), dict(type='mmcount.CountCalibrationHook')]
env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl')
)
visualizer = dict(type='mmcount.CountVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
log_processor = dict(type='LogProcessor', window_size=20, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=42)
