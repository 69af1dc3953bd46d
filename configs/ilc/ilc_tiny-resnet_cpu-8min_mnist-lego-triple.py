"""A small ILC on scenes of objects of three digits.

Command:  python tools/train.py configs/ilc/ilc_tiny-resnet_cpu-8min_mnist-lego-triple.py
Data:     MNIST-LEGO triple
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_classes.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

# Objects of three digits: a proposal that holds one digit holds a third of an object, which is what the density penalty
# of instance segmentation is about.
scene = dict(layout='triple', classes=(0, 11, 22, 33, 44, 55, 66, 77, 88, 99), part_size=12, scale_range=(0.8, 1.2))
train_dataloader = dict(dataset=dict(dataset=dict(scene=scene)))
val_dataloader = dict(dataset=dict(scene=scene))
test_dataloader = dict(dataset=dict(scene=scene))
test_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.GameMetric', images='positive'),
    dict(type='mmcount.GameMetric', prefix='all'),
]
default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.TrainingStageHook', milestones=(50,), by_epoch=False),
]
