_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/lego_classifier.py',
    '../_base_/datasets/mnist_lego_subitizing.py',
    '../_base_/schedules/fit.py',
]

classifier_checkpoint = 'work_dirs/lego-classifier_plain-conv_cpu-12min_mnist-lego/iter_1400.pth'
classifier = dict(init_cfg=dict(type='Pretrained', checkpoint=classifier_checkpoint), **_base_.classifier)

# 20 and 50 maps, as in the paper; the options of the clusters and of their boxes were chosen on validation scenes. A
# receptive field is larger than an object, so a box around all heat of a cluster is too: box_share=0 is the paper's.
maps = {'backbone.layers.3': 20, 'backbone.layers.2': 50}
clusterer = dict(type='mmcount.DensityPeakClusterer', cutoff=1.0, min_distance=4.5, min_density=0.1)

model = dict(
    type='mmcount.PointThenCount',
    data_preprocessor=_base_.data_preprocessor,
    classifier=classifier,
    maps=maps,
    clusterer=clusterer,
    box_share=0.5,
)

# There is nothing to average and no best: one fit, one checkpoint. Scores are shares of the heat, and all shown.
default_hooks = dict(
    checkpoint=dict(save_best=None, rule=None, save_optimizer=False),
    visualization=dict(score_thr=0.0),
)
custom_hooks = []
