# UCF-QNRF: 1,201 / 334 large images with points of heads. A fifth of the training images, drawn with the seed, is for
# validation.
dataset_type = 'mmcount.UCFQNRF'
data_root = 'data/UCF-QNRF_ECCV18/'
common = dict(type=dataset_type, data_root=data_root, num_val=0.2, seed=0)

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[105.4491, 96.5226, 94.7623], std=[72.6366, 70.6468, 71.7850])

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
