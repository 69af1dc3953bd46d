"""IIM on your own images with boxes: every object as an instance.

One class. The table has the columns x1, y1, x2 and y2 beside x and y.

Command:  python tools/train.py configs/your_data/iim_tiny-resnet_cpu-5min_boxes-csv.py \\
              --cfg-options data_root=my_data ann_file=points.csv
Data:     Own images
Hardware: one CPU core
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/iim_tiny-resnet.py',
    '../_base_/datasets/points_csv.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='nwpu', outside='paint', stride=1)
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmdet.RandomCrop', crop_size=(128, 128), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.LocalizationMetric')]
test_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.LocalizationMetric')]

max_iters = 1500
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 3))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.1, decay_mult=0.0)}))
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 3), save_best='loc/F1_l', rule='greater'))
