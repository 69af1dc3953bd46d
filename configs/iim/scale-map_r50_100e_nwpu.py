"""Sizes of heads from the boxes of NWPU-Crowd, for pseudo boxes of data sets of points.

tools/dataset_converters/pseudo_boxes.py takes its checkpoint. The paper says nothing of its training; learning rate and
loss are those of the released code.

Command:  python tools/train.py configs/iim/scale-map_r50_100e_nwpu.py
Data:     NWPU-Crowd
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/scale-map_r50.py',
    '../_base_/datasets/nwpu.py',
    '../_base_/default_runtime.py',
]

max_epochs = 100
codec = dict(type='mmcount.ScaleMapCodec', window=199, step=16, overlap='last', stride=1)
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.RandomScaleToMultiple', scale_range=(0.8, 1.2), min_size=(576, 768), divisor=32),
    # Width and height. Boxes are not clipped: a head at the border of a crop is as large as in the image.
    dict(type='mmdet.RandomCrop', crop_size=(768, 576), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
num_workers = 4
train_dataloader = dict(batch_size=6, num_workers=num_workers, drop_last=False, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = dict(_delete_=True, type='mmcount.SizeMetric')
test_evaluator = dict(_delete_=True, type='mmcount.SizeMetric')

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=min(2, max_epochs))
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-5, weight_decay=1e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=True, convert_to_iter_based=True)]
default_hooks = dict(checkpoint=dict(save_best='size/log_area_MAE', rule='less'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
