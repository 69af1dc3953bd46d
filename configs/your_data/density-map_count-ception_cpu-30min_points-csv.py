"""A density map of your own images with points.

Command:  python tools/train.py configs/your_data/density-map_count-ception_cpu-30min_points-csv.py \\
              --cfg-options data_root=my_data ann_file=points.csv classes=live,dead
Data:     Own images
Hardware: 2 CPU cores
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/points_csv.py',
    '../_base_/schedules/bf16_cpu.py',
]

codec = dict(type='mmcount.DensityCodec', sigma=4, stride=4, padding=32, num_classes=len(_base_.classes))
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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
