_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/vgg_classifier.py',
    '../_base_/datasets/sos.py',
    '../_base_/schedules/fit.py',
]

# The last pooling and the two fully connected layers, 33,280 features.
blocks = [
    dict(layer='backbone.features.36'),
    dict(layer='backbone.classifier.1'),
    dict(layer='backbone.classifier.4'),
]

model = dict(
    type='mmcount.CountThenPoint',
    data_preprocessor=_base_.data_preprocessor,
    classifier=_base_.vgg19,
    blocks=blocks,
    heat_layer='backbone.features.35',
    svm=dict(max_count=4),
)

# There is nothing to average and no best: one fit, one checkpoint. Scores are shares of the heat, and all shown.
default_hooks = dict(
    checkpoint=dict(save_best=None, rule=None, save_optimizer=False),
    visualization=dict(score_thr=0.0),
)
custom_hooks = []
