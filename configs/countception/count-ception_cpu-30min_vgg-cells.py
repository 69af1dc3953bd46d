_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/vgg_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.RandomDihedral'),
    dict(type='mmcount.HaloCrop', codec=_base_.codec, size=128, extend=48),
    dict(type='mmcount.GenerateTarget', codec=_base_.codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=_base_.max_iters // 2))
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=6),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
log_processor = dict(by_epoch=False)
