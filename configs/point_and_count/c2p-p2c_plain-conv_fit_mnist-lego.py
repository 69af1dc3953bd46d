_base_ = './c2p_plain-conv_fit_mnist-lego.py'

model = dict(
    _delete_=True,
    type='mmcount.CountAndPoint',
    data_preprocessor=_base_.data_preprocessor,
    classifier=_base_.classifier,
    blocks=_base_.blocks,
    svm=_base_.svm,
    pointer=dict(
        maps={'backbone.layers.3': 20, 'backbone.layers.2': 50},
        clusterer=dict(type='mmcount.DensityPeakClusterer', cutoff=1.0, min_distance=4.5, min_density=0.1),
        box_share=0.5,
    ),
)
