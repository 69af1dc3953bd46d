"""P2C on scenes of 0 to 4 objects of digits.

The classifier is that of lego-classifier_plain-conv_cpu-12min_mnist-lego, trained before.

Command:  python tools/train.py configs/point_and_count/p2c_plain-conv_fit_mnist-lego.py
Data:     MNIST-LEGO
Hardware: one CPU core
Time:     not measured
Figures:  count accuracy 0.733, pointing_0.5 0.875 (1000 test scenes, seed 0; README.md)
"""

_base_ = [
    '../_base_/models/lego_classifier.py',
    '../_base_/datasets/mnist_lego_subitizing.py',
    '../_base_/schedules/fit.py',
]

classifier_checkpoint = 'work_dirs/lego-classifier_plain-conv_cpu-12min_mnist-lego/iter_1400.pth'
classifier = dict(_base_.classifier, init_cfg=dict(type='Pretrained', checkpoint=classifier_checkpoint))

# 20 and 50 maps, as in the paper; the options of the clusters and of their boxes were chosen on validation scenes. A
# receptive field is larger than an object, so a box around all heat of a cluster is too: box_share=0 is the paper's.
model = dict(
    type='mmcount.PointThenCount',
    data_preprocessor=_base_.data_preprocessor,
    classifier=classifier,
    maps={'backbone.layers.3': 20, 'backbone.layers.2': 50},
    clusterer=dict(type='mmcount.DensityPeakClusterer', cutoff=1.0, min_distance=4.5, min_density=0.1),
    box_share=0.5,
)
