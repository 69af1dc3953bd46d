# MNIST-LEGO with counts of whole images: up to 8 digits of ten classes on photos, made on the fly; no files and no
# network. A scene draws its objects from one or two classes, so that counts above the limit occur. Training is told
# "5 or more" of a class and never where an object is.
dataset_type = 'mmcount.MNISTLego'
limit = 4
scene = dict(
    canvas=(128, 128),
    layout='single',
    class_mode='mixed',
    classes_per_scene=(1, 2),
    num_objects=(0, 8),
    part_size=20,
    max_overlap=0.0,
    background='photo',
    background_level=0.2,
)
common = dict(type=dataset_type, scene=scene)
num_workers = 0

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmcount.LowerCounts',
        limit=limit,
        dataset=dict(
            subset='train',
            num_samples=4000,
            keep_scenes=True,
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
        num_samples=200,
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
        num_samples=500,
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
# GAME twice: over the images that hold a class, and over all images, where density of classes that are not there costs.
test_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.BaselineMetric', dataset=dict(subset='train', num_samples=4000, pipeline=[], **common)),
    dict(type='mmcount.GameMetric', images='positive'),
    dict(type='mmcount.GameMetric', prefix='all'),
]
