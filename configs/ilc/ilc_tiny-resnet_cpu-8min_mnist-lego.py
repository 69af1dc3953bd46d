"""A small ILC on scenes of ten classes of digits.

Command:  python tools/train.py configs/ilc/ilc_tiny-resnet_cpu-8min_mnist-lego.py --cfg-options randomness.seed=1
Data:     MNIST-LEGO
Hardware: one core of an AMD EPYC (Zen 4), beside other work
Time:     8 to 14 min
Figures:  mRMSE 0.227, GAME(2) 0.240 (500 test scenes, last checkpoint, mean of seeds 0, 1, 2; README.md)
"""

_base_ = [
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_classes.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.TrainingStageHook', milestones=(50,), by_epoch=False),
]
