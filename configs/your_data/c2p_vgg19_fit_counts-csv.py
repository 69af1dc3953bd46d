"""C2P on your own images with a table of counts: 0 to 4 objects, and a pointer at each.

Command:  python tools/train.py configs/your_data/c2p_vgg19_fit_counts-csv.py \\
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

# The last pooling and the two fully connected layers, 33,280 features.
model = dict(
    type='mmcount.CountThenPoint',
    data_preprocessor=_base_.data_preprocessor,
    classifier=_base_.vgg19,
    blocks=[
        dict(layer='backbone.features.36'),
        dict(layer='backbone.classifier.1'),
        dict(layer='backbone.classifier.4'),
    ],
    heat_layer='backbone.features.35',
    svm=dict(max_count=_base_.limit),
)
train_dataloader = dict(sampler=dict(shuffle=False), dataset=dict(dataset=dict(pipeline=pipeline)))
val_dataloader = dict(batch_size=16, dataset=dict(pipeline=pipeline))
test_dataloader = dict(batch_size=16, dataset=dict(pipeline=pipeline))
val_evaluator = [dict(type='mmcount.SubitizingMetric', max_count=_base_.limit), dict(type='mmcount.CountMetric')]
test_evaluator = [dict(type='mmcount.SubitizingMetric', max_count=_base_.limit), dict(type='mmcount.CountMetric')]
