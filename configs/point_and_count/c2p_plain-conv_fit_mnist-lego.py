_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/models/lego_classifier.py',
    '../_base_/datasets/mnist_lego_subitizing.py',
    '../_base_/schedules/fit.py',
]

classifier_checkpoint = 'work_dirs/lego-classifier_plain-conv_cpu-12min_mnist-lego/iter_1400.pth'
classifier = dict(init_cfg=dict(type='Pretrained', checkpoint=classifier_checkpoint), **_base_.classifier)

# A network without fully connected layers: the means of the last two layers, and the last one on a grid.
blocks = [
    dict(layer='backbone.layers.3', pooling='mean'),
    dict(layer='backbone.layers.2', pooling='mean'),
    dict(layer='backbone.layers.3', pooling='grid', grid=7),
]
svm = dict(max_count=4, projection=1024)

model = dict(
    type='mmcount.CountThenPoint',
    data_preprocessor=_base_.data_preprocessor,
    classifier=classifier,
    blocks=blocks,
    heat_layer='backbone.layers.3',
    svm=svm,
)

# There is nothing to average and no best: one fit, one checkpoint. Scores are shares of the heat, and all shown.
default_hooks = dict(
    checkpoint=dict(save_best=None, rule=None, save_optimizer=False),
    visualization=dict(score_thr=0.0),
)
custom_hooks = []
