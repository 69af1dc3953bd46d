"""A small P2PNet on dense scenes of digits.

Command:  python tools/train.py configs/p2pnet/p2pnet_tiny-resnet_cpu-5min_mnist-lego-dense.py
Data:     MNIST-LEGO dense
Hardware: one core of an Intel Xeon, beside other work
Time:     2.4 min of the core within 11 min
Figures:  F1_l 0.991, MAE 1.40 (200 test scenes, last checkpoint, seed 0)
"""

_base_ = [
    '../_base_/models/p2pnet_tiny-resnet.py',
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
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

max_iters = 1000
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 4))
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 4), save_best='loc/F1_l', rule='greater'))
