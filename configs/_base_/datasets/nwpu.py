"""NWPU-Crowd: 3,109 / 500 images with boxes of heads.

The annotation of the 1,500 test images is not public, so the test phase here evaluates on the validation images.
Predictions for the benchmark are made with subset='test' and a pipeline without LoadCountAnnotations.
"""

_base_ = './crowd.py'

data_root = 'data/NWPU-Crowd/'
common = dict(type='mmcount.NWPUCrowd', data_root=data_root)

# Mean and standard deviation of the pixels, RGB in 0..255, for the data preprocessor of a model.
img_norm = dict(mean=[113.7656, 104.4265, 100.7464], std=[73.4925, 70.9269, 72.2931])
codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='nwpu', outside='paint', stride=1)

train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    *_base_.crop,
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    # The benchmark measures from the annotated points, with locations='val_gt_loc.txt' of the data set by its own list.
    dict(type='mmcount.PackCountInputs', image_counts='annotations', annotation_keys=('points', 'sigmas', 'levels')),
]

train_dataloader = dict(batch_size=12, dataset=dict(pipeline=train_pipeline, **common))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline, **common))
test_dataloader = dict(dataset=dict(subset='val', pipeline=test_pipeline, **common))

val_evaluator = dict(sigma_rounding='nearest')
test_evaluator = dict(sigma_rounding='nearest')
