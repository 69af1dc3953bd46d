# VGG cells (Lempitsky and Zisserman 2010): 200 images of 256 x 256. N = num_train training and num_val validation
# images, the last 100 of the shuffled list to test on; another seed is another split.
dataset_type = 'mmcount.VGGCells'
data_root = 'data/vgg_cells/'
split = dict(seed=0, num_train=32, num_val=32, num_test=100)
num_workers = 2

codec = dict(type='mmcount.RedundantCountCodec', window_size=32, stride=1, num_classes=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.GenerateTarget', codec=codec),
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
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type=dataset_type, data_root=data_root, split=split, subset='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 1),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, data_root=data_root, split=split, subset='val', pipeline=test_pipeline, test_mode=True
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 1),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type, data_root=data_root, split=split, subset='test', pipeline=test_pipeline, test_mode=True
    ),
)

val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = [
    *val_evaluator,
    dict(
        type='mmcount.BaselineMetric',
        dataset=dict(type=dataset_type, data_root=data_root, split=split, subset='train', pipeline=[]),
    ),
]
