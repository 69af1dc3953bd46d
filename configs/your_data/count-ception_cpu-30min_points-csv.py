"""Count-ception on your own images with points.

For objects of up to about 20 px; codec.window_size should be larger than an object.

Command:  python tools/train.py configs/your_data/count-ception_cpu-30min_points-csv.py \\
              --cfg-options data_root=my_data ann_file=points.csv classes=live,dead
Data:     Own images
Hardware: 2 CPU cores
Time:     about 20 min
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/count-ception_fast.py',
    '../_base_/datasets/points_csv.py',
    '../_base_/schedules/bf16_cpu.py',
]

codec = dict(type='mmcount.RedundantCountCodec', window_size=32, stride=4, num_classes=len(_base_.classes))
model = dict(backbone=dict(window_size=codec['window_size'], stride=codec['stride']), head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.RandomDihedral'),
    dict(type='mmcount.HaloCrop', codec=codec, size=128, extend=48),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
