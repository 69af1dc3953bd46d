_base_ = './clcnet-s3-cls2_r50_fpn_1x_locount.py'

# The count as a number; the weight of its loss is 1e-4 in the paper, 0.1 in the released code.
model = dict(roi_head=dict(codec=dict(_delete_=True, type='mmcount.CountRegressionCodec', max_count=56)))
