_base_ = './cascade-rcnn-s6_r50_fpn_1x_locount.py'

# The detector with one count layer more at every stage; the weight of the count loss is 0.1.
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CascadeCountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=56, base=2),
        bbox_head=[dict(head, type='mmcount.CountBBoxHead') for head in _base_.model.roi_head.bbox_head],
    ),
    train_cfg=dict(
        rcnn=[
            dict(stage, sampler=dict(stage.sampler, type='mmcount.CountRandomSampler'))
            for stage in _base_.model.train_cfg.rcnn
        ]
    ),
)
