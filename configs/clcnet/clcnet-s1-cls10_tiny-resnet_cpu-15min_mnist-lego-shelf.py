_base_ = './faster-rcnn_tiny-resnet_cpu-15min_mnist-lego-shelf.py'

model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=20, base=10),
        bbox_head=dict(type='mmcount.CountBBoxHead', loss_cnt=dict(type='CrossEntropyLoss', loss_weight=0.5)),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(type='mmcount.CountRandomSampler'))),
)
