_base_ = './p2c_vgg16_fit_sos.py'

model = dict(
    _delete_=True,
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
