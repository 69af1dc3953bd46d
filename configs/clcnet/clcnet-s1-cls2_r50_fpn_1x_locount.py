_base_ = './faster-rcnn_r50_fpn_1x_locount.py'

# The detector with one count layer more; the weight of the count loss is 0.1.
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=56, base=2),
        bbox_head=dict(type='mmcount.CountBBoxHead'),
    ),
    train_cfg=dict(rcnn=dict(sampler=dict(type='mmcount.CountRandomSampler'))),
)
