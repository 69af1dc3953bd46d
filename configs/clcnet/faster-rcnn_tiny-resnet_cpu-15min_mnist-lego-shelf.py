"""A small Faster R-CNN on shelves of digits: every box counts 1.

Command:  python tools/train.py configs/clcnet/faster-rcnn_tiny-resnet_cpu-15min_mnist-lego-shelf.py
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
