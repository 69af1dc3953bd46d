_base_ = [
    '../_base_/iim_runtime.py',
    '../_base_/models/iim_vgg16-fpn.py',
    '../_base_/datasets/shanghaitech_a_heads.py',
    '../_base_/schedules/adam_poly_1000e.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.02)}))
