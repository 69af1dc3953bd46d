# Cholakkal et al., CVPR 2019, as released: SGD, the backbone a hundred times slower than the new layers, the rate
# halved every 50 epochs; the checkpoint of the best validation.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=300, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.01)}),
)
param_scheduler = [dict(type='MultiStepLR', milestones=[50, 100, 150, 200, 250], gamma=0.5, by_epoch=True)]
