"""A small CLCNet of two stages on shelves of digits, binary digits of the count.

Command:  python tools/train.py configs/clcnet/clcnet-s2-cls2_tiny-resnet_cpu-15min_mnist-lego-shelf.py
Data:     MNIST-LEGO shelves
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/cascade-rcnn-s2_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_shelf.py',
    '../_base_/schedules/adamw_cpu.py',
]

train_dataloader = dict(batch_size=4)
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CascadeCountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=20, base=2),
        bbox_head=[
            dict(head, type='mmcount.CountBBoxHead', loss_cnt=dict(type='CrossEntropyLoss', loss_weight=0.5))
            for head in _base_.model.roi_head.bbox_head
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(stage, sampler=dict(stage.sampler, type='mmcount.CountRandomSampler'))
            for stage in _base_.model.train_cfg.rcnn
        ]
    ),
)
