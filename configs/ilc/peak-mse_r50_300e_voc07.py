_base_ = './ilc_r50_300e_voc07.py'

# Baseline (Table 1): the mean of the peaks of one map per class is its count.
model = dict(head=dict(_delete_=True, type='mmcount.PooledCountHead', num_classes=20, pooling='peak'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
