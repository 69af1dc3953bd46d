_base_ = [
    '../_base_/iim_runtime.py',
    '../_base_/models/iim_hrnet-w48.py',
    '../_base_/datasets/shanghaitech_a_heads.py',
    '../_base_/schedules/adam_poly_2000e.py',
]

model = dict(data_preprocessor=_base_.img_norm, head=dict(codec=_base_.codec))
