# Fluorescence and bright-field cells, made on the fly; no files and no network. Training images are small, as they are
# cropped anyway, read in order, and none is read twice; the first 2400 are easy and become harder one by one.
dataset_type = 'mmcount.SyntheticCells'
normalise = dict(type='mmcount.PhotometricNormalise')
num_workers = 0

codec = dict(type='mmcount.RedundantCountCodec', window_size=32, stride=4, num_classes=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    normalise,
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.HaloCrop', codec=codec, size=96, extend=48),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    normalise,
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=6,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        subset='train',
        num_samples=100_000,
        warmup=2400,
        scene=dict(canvas=(192, 192)),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 1),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type=dataset_type, subset='val', num_samples=40, pipeline=test_pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 1),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type=dataset_type, subset='test', num_samples=100, pipeline=test_pipeline, test_mode=True),
)

val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = [
    *val_evaluator,
    dict(type='mmcount.BaselineMetric', dataset=dict(type=dataset_type, subset='train', num_samples=1000, pipeline=[])),
]
