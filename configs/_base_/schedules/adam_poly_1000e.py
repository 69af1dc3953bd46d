# IIM: Adam with L2 decay of the predictor only, polynomial decay per iteration, the thresholds ten times slower (with
# VGG16 fifty times). Validation every 4 epochs, from the 24th on.
max_epochs = 1000

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_begin=24, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-5, weight_decay=1e-5),
    paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.1, decay_mult=0.0)}),
)
param_scheduler = [
    dict(type='PolyLR', power=0.9, eta_min=0, begin=0, end=max_epochs, by_epoch=True, convert_to_iter_based=True)
]
