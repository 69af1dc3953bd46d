_base_ = [
    '../_base_/default_runtime.py',
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

# There is nothing to average and no best: one fit, one checkpoint. Scores are shares of the heat, and all shown.
default_hooks = dict(
    checkpoint=dict(save_best=None, rule=None, save_optimizer=False),
    visualization=dict(score_thr=0.0),
)
custom_hooks = []
