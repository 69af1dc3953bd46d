_base_ = './fcos_tiny-resnet_cpu-10min_mnist-lego-shelf.py'

# The detector of the base config, trained before, gets counts; its boxes, classes and scores stay what they are.
checkpoint = f'work_dirs/fcos_tiny-resnet_cpu-10min_mnist-lego-shelf/iter_{_base_.max_iters}.pth'
model = dict(
    _delete_=True,
    type='mmcount.CountingDetector',
    detector=dict(_base_.model, init_cfg=dict(type='Pretrained', checkpoint=checkpoint)),
    freeze_detector=True,
    backbone=dict(),
    roi_extractor=dict(featmap_strides=[8], out_channels=64),
    count_head=dict(
        codec=dict(type='mmcount.DigitCodec', max_count=20, base=10, num_stages=2),
        fc_out_channels=256,
        loss=dict(type='mmdet.CrossEntropyLoss', loss_weight=1.0),
    ),
    classes=('0', '2', '3', '4', '5', '8'),
    count_train_cfg=dict(source='both'),
)
max_iters = 900
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=50),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=50, end=max_iters, T_max=max_iters - 50, eta_min=0),
]
default_hooks = dict(checkpoint=dict(interval=max_iters // 3))
