"""P2C on test scenes on which it fails: dim objects beside bright ones.

Parallel suppression: bright objects raise the mean that is taken off the heat, and dim ones beside them vanish.

Command:  python tools/test.py configs/point_and_count/p2c_plain-conv_fit_mnist-lego-dim.py \\
              work_dirs/p2c_plain-conv_fit_mnist-lego/epoch_1.pth
Data:     MNIST-LEGO
Hardware: one CPU core
Time:     not measured
Figures:  see docs/en/point_and_count.md
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
test_dataloader = dict(dataset=dict(scene=dict(num_objects=(3, 4), gain_range=(0.35, 1.0), background_level=0.2)))
