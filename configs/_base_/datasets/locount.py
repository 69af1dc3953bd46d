# Locount: 34,022 training and 16,372 test images of shelves, 1920 x 1080 px, 140 classes, boxes that count 1 to 56. It
# has no validation images. ann_file is a folder of the raw text files, or the one JSON file that
# tools/dataset_converters/locount_to_coco.py makes of it. Models keep 150 detections of an image
# (test_cfg max_per_img=150); 8 images a step at a learning rate of 0.02 are the published schedule.
dataset_type = 'mmcount.LocountDataset'
data_root = 'data/Locount/'
common = dict(type=dataset_type, data_root=data_root)
num_workers = 4

train_pipeline = [
    dict(type='mmcount.LoadImageFromFile'),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImageFromFile'),
    dict(type='mmdet.Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='mmdet.AspectRatioBatchSampler'),
    dataset=dict(
        ann_file='annotation_train',
        data_prefix=dict(img='Locount_ImagesTrain/'),
        filter_empty_gt=True,
        min_size=32,
        pipeline=train_pipeline,
        **common,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 2),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='annotation_test',
        data_prefix=dict(img='Locount_ImagesTest/'),
        pipeline=test_pipeline,
        test_mode=True,
        **common,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmcount.LocountMetric')
test_evaluator = val_evaluator
