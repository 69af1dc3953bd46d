_base_ = './counting-retinanet_r50_12e_locount.py'

# The plain RetinaNet of retinanet_r50_12e_locount.py, trained before, gets counts and stays what it is.
model = dict(
    freeze_detector=True,
    detector=dict(
        backbone=dict(init_cfg=None),
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/retinanet_r50_12e_locount/epoch_12.pth'),
    ),
    count_train_cfg=dict(source='both'),
)
train_cfg = dict(max_epochs=3)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', begin=0, end=3, by_epoch=True, milestones=[2], gamma=0.1),
]
