"""P2PNet on your own images with points: points without a density in between.

Several classes need nothing but classes=live,dead and a column class.

Command:  python tools/train.py configs/your_data/p2pnet_tiny-resnet_cpu-5min_points-csv.py \\
              --cfg-options data_root=my_data ann_file=points.csv
Data:     Own images
Hardware: one CPU core
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/p2pnet_tiny-resnet.py',
    '../_base_/datasets/points_csv.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

codec = dict(_base_.model.head.codec, num_classes=len(_base_.classes))
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmdet.RandomCrop', crop_size=(128, 128), allow_negative_crop=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_evaluator = [
    dict(type='mmcount.CountMetric'),
    dict(type='mmcount.CalibrationMetric'),
    dict(type='mmcount.LocalizationMetric', sigmas=(4, 8)),
]
test_evaluator = val_evaluator

max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 4))
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 4)))
custom_hooks = [dict(type='mmcount.RandomStateHook'), dict(type='mmcount.CountCalibrationHook')]
