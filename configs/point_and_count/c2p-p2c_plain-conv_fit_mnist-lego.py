"""C2P and P2C together on scenes of 0 to 4 objects of digits.

The classifier is that of lego-classifier_plain-conv_cpu-12min_mnist-lego, trained before.

Command:  python tools/train.py configs/point_and_count/c2p-p2c_plain-conv_fit_mnist-lego.py
Data:     MNIST-LEGO
Hardware: one CPU core
Time:     not measured
Figures:  count accuracy 0.854, pointing_0.5 0.774 (1000 test scenes, seed 0; README.md)
"""

_base_ = [
    '../_base_/models/lego_classifier.py',
    '../_base_/datasets/mnist_lego_subitizing.py',
    '../_base_/schedules/fit.py',
]

classifier_checkpoint = 'work_dirs/lego-classifier_plain-conv_cpu-12min_mnist-lego/iter_1400.pth'
classifier = dict(_base_.classifier, init_cfg=dict(type='Pretrained', checkpoint=classifier_checkpoint))

# A network without fully connected layers: the means of the last two layers, and the last one on a grid.
blocks = [
    dict(layer='backbone.layers.3', pooling='mean'),
    dict(layer='backbone.layers.2', pooling='mean'),
    dict(layer='backbone.layers.3', pooling='grid', grid=7),
]
svm = dict(max_count=4, projection=1024)

model = dict(
    type='mmcount.CountAndPoint',
    data_preprocessor=_base_.data_preprocessor,
    classifier=classifier,
    blocks=blocks,
    svm=svm,
    pointer=dict(
        maps={'backbone.layers.3': 20, 'backbone.layers.2': 50},
        clusterer=dict(type='mmcount.DensityPeakClusterer', cutoff=1.0, min_distance=4.5, min_density=0.1),
        box_share=0.5,
    ),
)
