# COCO 2014 with counts of whole images: train2014, and val2014 halved into validation and test. split_rule 'cev' takes
# 20,252 + 20,252 images by ascending id (Chattopadhyay et al. 2017); 'countseg' 20,068 + 20,069 in the order of the
# annotations, and leaves images without annotation out of training too (the released code of Cholakkal et al. 2019).
# Crowd regions count as one. Training is told "5 or more" and never where an object is.
dataset_type = 'mmcount.COCOCounts'
data_root = 'data/coco/'
limit = 4
split_rule = 'cev'
common = dict(type=dataset_type, data_root=data_root, split_rule=split_rule)
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
            ann_file='annotations/instances_train2014.json',
            data_prefix=dict(img='train2014/'),
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
        ann_file='annotations/instances_val2014.json',
        data_prefix=dict(img='val2014/'),
        val_half='val',
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
        ann_file='annotations/instances_val2014.json',
        data_prefix=dict(img='val2014/'),
        val_half='test',
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
