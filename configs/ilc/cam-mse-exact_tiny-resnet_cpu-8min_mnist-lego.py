"""Counts of scenes of digits, baseline: the mean of one map per class, pairs above the limit left out.

Command:  python tools/train.py configs/ilc/cam-mse-exact_tiny-resnet_cpu-8min_mnist-lego.py
Data:     MNIST-LEGO
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_classes.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

model = dict(
    head=dict(
        _delete_=True,
        type='mmcount.PooledCountHead',
        num_classes=10,
        in_channels=64,
        pooling='mean',
        above_limit='ignore',
    )
)
default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
