"""P2C with VGG16 on SOS, tested on MSO.

Command:  python tools/train.py configs/point_and_count/p2c_vgg16_fit_sos.py
Data:     SOS and MSO
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here; the paper reports a count accuracy of 0.50
"""

_base_ = [
    '../_base_/models/vgg_classifier.py',
    '../_base_/datasets/sos.py',
    '../_base_/schedules/fit.py',
]

# Its classes are those of ImageNet: an image belongs to the one that VGG16 sees in it.
model = dict(
    type='mmcount.PointThenCount',
    data_preprocessor=_base_.data_preprocessor,
    classifier=_base_.vgg16,
    maps={'backbone.features.29': 20, 'backbone.features.27': 50},
)
