"""A small DM-Count on dense scenes of digits.

Command:  python tools/train.py configs/dm_count/dm-count_tiny-resnet_cpu-5min_mnist-lego-dense.py
Data:     MNIST-LEGO dense
Hardware: one core of an Intel Xeon, beside other work
Time:     3.3 min of the core within 6 min
Figures:  MAE 0.95, RMSE 1.36 (200 test scenes, last checkpoint, seed 0)
"""

_base_ = [
    '../_base_/models/dm-count_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_dense.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

codec = dict(_base_.model.head.codec)
model = dict(head=dict(codec=codec))
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    # Boxes are not clipped: a digit at the border of a crop keeps its centre.
    dict(type='mmdet.RandomCrop', crop_size=(128, 128), allow_negative_crop=True, bbox_clip_border=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(_delete_=True, type='mmcount.CountMetric')
test_evaluator = dict(_delete_=True, type='mmcount.CountMetric')

max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 4))
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 4)))
custom_hooks = [
    # The bias of the last layer starts at the mean density.
    dict(type='mmcount.DataInitHook', num_batches=2),
    dict(type='mmcount.RandomStateHook'),
]
