"""Count-ception on VGG cells in half an hour on two CPU cores.

Command:  python tools/train.py configs/countception/count-ception_cpu-30min_vgg-cells.py \\
              --cfg-options data_root=data/vgg_cells split.seed=0 randomness.seed=0
Data:     VGG cells
Hardware: 2 cores of an AMD EPYC (Zen 4)
Time:     18 min 27 s (seed 2); 25 and 28 min beside other work
Figures:  MAE 2.91, calibrated MAE 2.61 (100 test images, N = 32, mean of seeds 0, 1, 2; README.md)
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/vgg_cells.py',
    '../_base_/schedules/bf16_cpu.py',
]

codec = dict(_base_.codec, stride=4)
num_workers = 0

model = dict(backbone=dict(window_size=codec['window_size'], stride=codec['stride']), head=dict(codec=codec))
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
