# PASCAL VOC 2007 with counts of whole images: 2,501 / 2,510 / 4,952 images of 20 classes. Difficult objects are counted
# nowhere. Training is told "5 or more" of a class and never where an object is; validation and test know boxes.
dataset_type = 'mmcount.VOCCounts'
data_root = 'data/VOCdevkit/VOC2007/'
limit = 4
common = dict(type=dataset_type, data_root=data_root, count_difficult=False)
img_scale = (448, 448)
num_workers = 4

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmdet.Resize', scale=img_scale, keep_ratio=False, backend='pillow'),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmdet.Resize', scale=img_scale, keep_ratio=False, backend='pillow'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmcount.LowerCounts',
        limit=limit,
        dataset=dict(
            ann_file='ImageSets/Main/train.txt',
            pipeline=train_pipeline,
            **common,
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 2),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='ImageSets/Main/val.txt',
        pipeline=test_pipeline,
        test_mode=True,
        **common,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 2),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='ImageSets/Main/test.txt',
        pipeline=test_pipeline,
        test_mode=True,
        **common,
    ),
)

val_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.GameMetric', images='positive'),
]
test_evaluator = val_evaluator
