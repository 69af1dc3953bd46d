_base_ = './cascade-rcnn-s2_tiny-resnet_cpu-15min_mnist-lego-shelf.py'

# AP_lc 0.657 on 300 test scenes (seed 0); Cascade R-CNN without counts: 0.123.
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CascadeCountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=20, base=10),
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
