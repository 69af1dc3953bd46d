# Salient Object Subitizing (imgIdx.mat and the images in data/SOS) for counting, MSO (imgIdx.mat and img/ in data/MSO)
# for pointing.
num_workers = 2

pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmdet.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
pointing_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmdet.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=16,
    num_workers=num_workers,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcount.SOS', data_root='data/SOS', subset='trainval', pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=num_workers,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcount.SOS', data_root='data/SOS', subset='test', pipeline=pipeline, test_mode=True),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=num_workers,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcount.MSO', data_root='data/MSO', pipeline=pointing_pipeline, test_mode=True),
)

val_evaluator = dict(type='mmcount.SubitizingMetric', max_count=4)
test_evaluator = [
    dict(type='mmcount.SubitizingMetric', max_count=4),
    dict(type='mmcount.PointingMetric', max_count=4),
]
