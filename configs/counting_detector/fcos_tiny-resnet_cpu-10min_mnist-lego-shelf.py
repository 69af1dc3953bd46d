"""A small FCOS on shelves of digits: every box counts 1.

Command:  python tools/train.py configs/counting_detector/fcos_tiny-resnet_cpu-10min_mnist-lego-shelf.py
Data:     MNIST-LEGO shelves
Hardware: one core of an AMD EPYC (Zen 4), beside other work
Time:     17 min
Figures:  AP 0.863, AP_lc 0.091 (300 test scenes, last checkpoint, seed 0; README.md)
"""

_base_ = [
    '../_base_/models/fcos_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

default_hooks = dict(checkpoint=dict(interval=max(1, _base_.max_iters // 3)))
