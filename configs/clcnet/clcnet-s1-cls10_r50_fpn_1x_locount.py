_base_ = './clcnet-s1-cls2_r50_fpn_1x_locount.py'

model = dict(roi_head=dict(codec=dict(base=10)))
