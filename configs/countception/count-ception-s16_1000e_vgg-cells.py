"""Count-ception on VGG cells, trained with windows 16 px apart (Table 3).

Command:  python tools/train.py configs/countception/count-ception-s16_1000e_vgg-cells.py
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

codec = dict(_base_.codec, stride=16)

model = dict(backbone=dict(window_size=codec['window_size'], stride=codec['stride']), head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
