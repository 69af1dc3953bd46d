_base_ = './counting-retinanet_r50_12e_locount.py'

model = dict(
    detector=dict(
        _delete_=True,
        _base_='mmdet::fcos/fcos_r50-caffe_fpn_gn-head-center-normbbox-centeronreg-giou_1x_coco.py',
        test_cfg=dict(max_per_img=150),
    ),
)
optim_wrapper = dict(paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0), clip_grad=dict(max_norm=35))
