"""A small CLCNet of one stage on shelves of digits, decimal digits of the count.

Command:  python tools/train.py configs/clcnet/clcnet-s1-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py
Data:     MNIST-LEGO shelves
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/faster-rcnn_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

train_dataloader = dict(batch_size=4)
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=20, base=10),
        bbox_head=dict(type='mmcount.CountBBoxHead', loss_cnt=dict(type='CrossEntropyLoss', loss_weight=0.5)),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(type='mmcount.CountRandomSampler'))),
)
