# Your own images with boxes in a COCO file, as labelling tools export it. An annotation may have a "count", the number
# of objects that its box holds; without it the box is one object. Every image of the file is labelled. `classes` names
# the categories of the file.
data_root = 'data/my_images/'
ann_file = 'annotations.json'
classes = ('object',)
split = dict(seed=0, num_train=0.6, num_val=0.2, num_test=0.2)
img_scale = (1333, 800)
num_workers = 2
common = dict(
    type='mmcount.CountedCocoDataset',
    data_root=data_root,
    ann_file=ann_file,
    data_prefix=dict(img='images'),
    metainfo=dict(classes=classes),
    split=split,
)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmdet.Resize', scale=img_scale, keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmdet.Resize', scale=img_scale, keep_ratio=True),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(subset='train', filter_empty_gt=True, pipeline=train_pipeline, **common),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 1),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', pipeline=test_pipeline, test_mode=True, **common),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 1),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', pipeline=test_pipeline, test_mode=True, **common),
)

val_evaluator = [dict(type='mmcount.LocountMetric'), dict(type='mmcount.CountMetric')]
test_evaluator = [dict(type='mmcount.LocountMetric'), dict(type='mmcount.CountMetric')]
