"""The network of Count-ception on Gaussian densities, on the schedule of the paper (its Figures 2 and 3).

Command:  python tools/train.py configs/countception/density-map_count-ception_1000e_vgg-cells.py
Data:     VGG cells
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/count-ception.py',
    '../_base_/datasets/vgg_cells.py',
    '../_base_/schedules/adam_1000e.py',
]

codec = dict(type='mmcount.DensityCodec', sigma=4, stride=1, padding=32, num_classes=1)

model = dict(
    backbone=dict(stride=codec['stride']),
    head=dict(
        _delete_=True,
        type='mmcount.DensityMapHead',
        codec=codec,
        in_channels=64,
        target_scale=100.0,
        loss=dict(type='mmdet.L1Loss'),
    ),
)
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
