_base_ = './counting-retinanet_r50_12e_locount.py'

model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py',
        test_cfg=dict(max_per_img=150),
    ),
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0001, weight_decay=0.0001),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [dict(type='MultiStepLR', begin=0, end=12, by_epoch=True, milestones=[11], gamma=0.1)]
