"""P2C on your own images with a table of counts: a few objects, and a pointer at each.

Counts are for the score only: P2C itself needs none.

Command:  python tools/train.py configs/your_data/p2c_vgg16_fit_counts-csv.py \\
              --cfg-options data_root=my_data ann_file=counts.csv
Data:     Own images
Hardware: a CPU
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/vgg_classifier.py',
    '../_base_/datasets/counts_csv.py',
    '../_base_/schedules/fit.py',
]

pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmdet.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='mmcount.LoadCountAnnotations', geometry='none'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]

# Its classes are those of ImageNet: an image belongs to the one that VGG16 sees in it.
model = dict(
    type='mmcount.PointThenCount',
    data_preprocessor=_base_.data_preprocessor,
    classifier=_base_.vgg16,
    maps={'backbone.features.29': 20, 'backbone.features.27': 50},
)
train_dataloader = dict(sampler=dict(shuffle=False), dataset=dict(dataset=dict(pipeline=pipeline)))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=pipeline))
test_dataloader = dict(batch_size=16, dataset=dict(pipeline=pipeline))
val_evaluator = [dict(type='mmcount.SubitizingMetric', max_count=_base_.limit), dict(type='mmcount.CountMetric')]
test_evaluator = [dict(type='mmcount.SubitizingMetric', max_count=_base_.limit), dict(type='mmcount.CountMetric')]
