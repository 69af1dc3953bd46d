"""The network of Count-ception on Gaussian densities: what redundant counting is compared with.

Command:  python tools/train.py configs/countception/density-map_count-ception_cpu-30min_vgg-cells.py
Data:     VGG cells
Hardware: 2 CPU cores
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/vgg_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

codec = dict(type='mmcount.DensityCodec', sigma=4, stride=4, padding=32, num_classes=1)
num_workers = 0

model = dict(
    backbone=dict(stride=codec['stride']),
    head=dict(
        _delete_=True,
        type='mmcount.DensityMapHead',
        codec=codec,
        in_channels=64,
        target_scale=64.0,
        loss=dict(type='mmdet.MSELoss'),
    ),
)
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.RandomDihedral'),
    dict(type='mmcount.HaloCrop', codec=codec, size=128, extend=48),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True),
    dataset=dict(pipeline=train_pipeline),
)
val_dataloader = dict(num_workers=min(num_workers, 1), persistent_workers=num_workers > 0)
test_dataloader = dict(num_workers=min(num_workers, 1), persistent_workers=num_workers > 0)
