"""Count-ception on bone marrow nuclei, in half an hour on two CPU cores.

Command:  python tools/train.py configs/countception/count-ception_cpu-30min_mbm-cells.py
Data:     MBM cells
Hardware: 2 CPU cores
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/mbm_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

codec = dict(_base_.codec, stride=4)
num_workers = 0

model = dict(backbone=dict(window_size=codec['window_size'], stride=codec['stride']), head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmdet.Resize', scale_factor=0.5),
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
