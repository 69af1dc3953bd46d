# Your own images with a table of points: columns image, x, y and, for several classes, class. Every image below
# <data_root>/images is labelled; one without a row holds no object.
dataset_type = 'mmcount.PointsCSVDataset'
data_root = 'data/my_images/'
ann_file = 'points.csv'
classes = ('object',)
split = dict(seed=0, num_train=0.6, num_val=0.2, num_test=0.2)
common = dict(
    type=dataset_type,
    data_root=data_root,
    ann_file=ann_file,
    data_prefix=dict(img='images'),
    metainfo=dict(classes=classes),
    split=split,
)
num_workers = 2

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=4,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(subset='train', pipeline=train_pipeline, **common),
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

val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = [
    *val_evaluator,
    dict(type='mmcount.BaselineMetric', dataset=dict(subset='train', pipeline=[], **common)),
]
