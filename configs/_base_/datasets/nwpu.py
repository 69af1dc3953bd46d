# NWPU-Crowd: 3,109 / 500 images with boxes of heads. The annotation of the 1,500 test images is not public, so the
# test phase here evaluates on the validation images. Predictions for the benchmark are made with subset='test' and a
# pipeline without LoadCountAnnotations.
dataset_type = 'mmcount.NWPUCrowd'
data_root = 'data/NWPU-Crowd/'
common = dict(type=dataset_type, data_root=data_root)

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[113.7656, 104.4265, 100.7464], std=[73.4925, 70.9269, 72.2931])

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
    dataset=dict(subset='val', pipeline=test_pipeline, test_mode=True, **common),
)

val_evaluator = dict(type='mmcount.CountMetric')
test_evaluator = val_evaluator
