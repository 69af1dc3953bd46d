"""A small Cascade R-CNN of two stages on shelves of digits: every box counts 1.

Command:  python tools/train.py configs/clcnet/cascade-rcnn-s2_tiny-resnet_cpu-15min_mnist-lego-shelf.py
Data:     MNIST-LEGO shelves
Hardware: one core of an AMD EPYC (Zen 4), beside other work
Time:     15 to 31 min
Figures:  AP 0.849, AP_lc 0.123 (300 test scenes, last checkpoint, seed 0; README.md)
"""

_base_ = [
    '../_base_/models/cascade-rcnn-s2_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

train_dataloader = dict(batch_size=4)
