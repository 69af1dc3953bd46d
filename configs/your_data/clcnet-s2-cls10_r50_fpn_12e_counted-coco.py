"""CLCNet on your own images with boxes that hold several objects.

Counts of a box are 1 to 99. The learning rate is for batches of 2.

Command:  python tools/train.py configs/your_data/clcnet-s2-cls10_r50_fpn_12e_counted-coco.py \\
              --cfg-options data_root=my_data ann_file=annotations.json classes=live,dead
Data:     Own images
Hardware: made for GPUs
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    '../_base_/datasets/counted_coco.py',
    '../_base_/schedules/sgd_12e.py',
]

num_classes = len(_base_.classes)
model = dict(
    type='mmcount.CLCNet',
    roi_head=dict(
        type='mmcount.CascadeCountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=99, base=10),
        num_stages=2,
        stage_loss_weights=[1, 0.5],
        bbox_head=[
            dict(_base_.model.roi_head.bbox_head[stage], type='mmcount.CountBBoxHead', num_classes=num_classes)
            for stage in (0, 2)
        ],
    ),
    train_cfg=dict(
        rcnn=[
            dict(stage, sampler=dict(stage.sampler, type='mmcount.CountRandomSampler'))
            for stage in _base_.model.train_cfg.rcnn[::2]
        ],
    ),
    test_cfg=dict(rpn=dict(max_per_img=512), rcnn=dict(max_per_img=150)),
)
optim_wrapper = dict(optimizer=dict(lr=0.005))
