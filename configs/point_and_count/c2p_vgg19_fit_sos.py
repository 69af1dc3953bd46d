"""C2P with VGG19 on SOS, tested on MSO.

Command:  python tools/train.py configs/point_and_count/c2p_vgg19_fit_sos.py
Data:     SOS and MSO
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here; the paper reports a count accuracy of 0.71
"""

_base_ = [
    '../_base_/models/vgg_classifier.py',
    '../_base_/datasets/sos.py',
    '../_base_/schedules/fit.py',
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
    svm=dict(max_count=4),
)
