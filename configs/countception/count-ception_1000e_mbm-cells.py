_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/count-ception.py',
    '../_base_/datasets/mbm_cells.py',
    '../_base_/schedules/adam_1000e.py',
]

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmdet.Resize', scale_factor=0.5),
    dict(type='mmcount.GenerateTarget', codec=_base_.codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

default_hooks = dict(logger=dict(interval=8), checkpoint=dict(interval=50))
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=6),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
