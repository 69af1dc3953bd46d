"""IIM with HRNet-W48 on ShanghaiTech B, trained with points alone.

Squares around the points, as large as the nearest other head allows: nothing but the published files is needed.

Command:  python tools/train.py configs/iim/iim-points_hrnet-w48_2000e_shanghaitech-b.py
Data:     ShanghaiTech B
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_hrnet-w48.py',
    '../_base_/datasets/shanghaitech_b.py',
    '../_base_/schedules/adam_poly.py',
]

codec = dict(type='mmcount.InstanceMapCodec', geometry='points', outside='paint', stride=1)

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.ResizeToMinimum', scale=2.0),
    *_base_.crop,
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.ResizeToMinimum', scale=2.0),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, boxes_file=None))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline, boxes_file=None))
default_hooks = dict(checkpoint=dict(save_best='loc/F1_sigma8'))
max_epochs = 2000
train_cfg = dict(max_epochs=max_epochs, val_begin=min(24, max_epochs))
