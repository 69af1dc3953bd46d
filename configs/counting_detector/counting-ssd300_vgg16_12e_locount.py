_base_ = './counting-retinanet_r50_12e_locount.py'

# The levels of SSD have different channels: counts are read from the first, whose cells are the finest.
model = dict(
    detector=dict(_delete_=True, _base_='mmdet::ssd/ssd300_coco.py', test_cfg=dict(max_per_img=150)),
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
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.002, weight_decay=0.0005))
