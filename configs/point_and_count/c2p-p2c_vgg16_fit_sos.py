"""C2P and P2C together with VGG16 on SOS, tested on MSO.

Command:  python tools/train.py configs/point_and_count/c2p-p2c_vgg16_fit_sos.py
Data:     SOS and MSO
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/vgg_classifier.py',
    '../_base_/datasets/sos.py',
    '../_base_/schedules/fit.py',
]

model = dict(
    type='mmcount.CountAndPoint',
    data_preprocessor=_base_.data_preprocessor,
    classifier=_base_.vgg16,
    blocks=[
        dict(layer='backbone.features.30'),
        dict(layer='backbone.classifier.1'),
        dict(layer='backbone.classifier.4'),
    ],
    svm=dict(max_count=4),
    pointer=dict(maps={'backbone.features.29': 20, 'backbone.features.27': 50}),
)
