# FDST: 60 / 40 videos of 150 frames with boxes of heads. A tenth of the training videos, drawn with the seed, is for
# validation.
dataset_type = 'mmcount.FDST'
data_root = 'data/FDST/'
common = dict(type=dataset_type, data_root=data_root, num_val=0.1, seed=0)

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model; they are those of
# ShanghaiTech part B, as published IIM code takes them.
img_norm = dict(mean=[115.2643, 114.0487, 110.1554], std=[59.2672, 57.3561, 56.5693])

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='points'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

# Whole images of many sizes: a pipeline that cuts parts of one size out of them takes a larger batch.
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    # heads that the annotation puts up to a pixel over the border take part in training
    dataset=dict(subset='train', outside='snap', pipeline=train_pipeline, **common),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='val', pipeline=test_pipeline, test_mode=True, **common),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(subset='test', pipeline=test_pipeline, test_mode=True, **common),
)

val_evaluator = dict(type='mmcount.CountMetric')
test_evaluator = val_evaluator
