"""Counts of scenes of digits, baseline: the mean of one map per class is its count.

Command:  python tools/train.py configs/ilc/cam-mse_tiny-resnet_cpu-8min_mnist-lego.py
Data:     MNIST-LEGO
Hardware: one core of an AMD EPYC (Zen 4), beside other work
Time:     7 min of process time
Figures:  mRMSE 0.334, GAME(2) 0.395 (500 test scenes, last checkpoint, mean of seeds 0, 1, 2; README.md)
"""

_base_ = [
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_classes.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

model = dict(head=dict(_delete_=True, type='mmcount.PooledCountHead', num_classes=10, in_channels=64, pooling='mean'))
default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
