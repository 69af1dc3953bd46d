_base_ = [
    '../_base_/iim_runtime.py',
    '../_base_/models/iim_vgg16-fpn.py',
    '../_base_/datasets/fdst_heads.py',
    '../_base_/schedules/adam_poly_166k.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.02)}))
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=4 * 166))
log_processor = dict(by_epoch=False)
