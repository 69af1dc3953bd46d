# Your own images with a table of counts: lines image,class,count, or a column for each class. Every image below
# <data_root>/images is labelled; one without a line holds no object. The table says nothing of places, so there is no
# GAME. To train on all counts as they are, leave LowerCounts out.
dataset_type = 'mmcount.CountsCSVDataset'
data_root = 'data/my_images/'
ann_file = 'counts.csv'
classes = ('object',)
limit = 4
split = dict(seed=0, num_train=0.6, num_val=0.2, num_test=0.2)
common = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file=ann_file,
    data_prefix=dict(img='images'),
    metainfo=dict(classes=classes),
    split=split,
)
img_scale = (448, 448)
num_workers = 2

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
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
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
            subset='train',
            pipeline=train_pipeline,
            **common,
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        subset='val',
        pipeline=test_pipeline,
        test_mode=True,
        **common,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        subset='test',
        pipeline=test_pipeline,
        test_mode=True,
        **common,
    ),
)

val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.ClassRMSEMetric')]
test_evaluator = [
    *val_evaluator,
    dict(type='mmcount.BaselineMetric', dataset=dict(subset='train', pipeline=[], **common)),
]
