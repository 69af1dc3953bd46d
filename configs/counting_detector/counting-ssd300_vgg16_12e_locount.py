"""SSD300 with counts on Locount.

The levels of SSD have different channels: counts are read from the first, whose cells are the finest.

Command:  python tools/train.py configs/counting_detector/counting-ssd300_vgg16_12e_locount.py
Data:     Locount
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/counting_detector.py',
    '../_base_/datasets/locount.py',
    '../_base_/schedules/sgd_12e.py',
]

model = dict(
    detector=dict(_base_='mmdet::ssd/ssd300_coco.py', test_cfg=dict(max_per_img=150)),
    roi_extractor=dict(featmap_strides=[8], out_channels=512),
)
train_pipeline = [
    dict(type='mmcount.LoadImageFromFile'),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmdet.Resize', scale=(300, 300), keep_ratio=False),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(300, 300), keep_ratio=False),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(optimizer=dict(lr=0.002, weight_decay=0.0005))
