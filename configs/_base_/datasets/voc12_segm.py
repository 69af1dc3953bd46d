# PASCAL VOC 2012 for instance segmentation from counts: trained on the counts of the 10,582 images that weakly
# supervised segmentation uses (lists of SBD in data/VOCdevkit/VOC2012/sbd), validated and tested on the 1,449 images of
# Segmentation/val. Mask proposals come from files: MCG or COB as downloaded, in data/VOCdevkit/VOC2012/proposals; with
# dict(type='mmcount.HierarchicalProposals') they are computed.
data_root = 'data/VOCdevkit/VOC2012/'
limit = 4
proposals = dict(type='mmcount.MCGProposals', folder=data_root + 'proposals')
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
    dict(type='mmcount.LoadMaskProposals', source=proposals),
    dict(type='mmdet.Resize', scale=img_scale, keep_ratio=False, backend='pillow'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes', with_mask=True),
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
        dataset=dict(type='mmcount.VOCSegmentationTrain', data_root=data_root, pipeline=train_pipeline),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=min(num_workers, 2),
    persistent_workers=num_workers > 0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmcount.VOCCounts',
        data_root=data_root,
        ann_file='ImageSets/Segmentation/val.txt',
        with_mask=True,
        pipeline=test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader

val_evaluator = [
    dict(type='mmcount.CountMetric', classwise=False),
    dict(type='mmcount.ClassRMSEMetric'),
    dict(type='mmcount.MaskOverlapMetric'),
]
test_evaluator = val_evaluator
