_base_ = './ilc_tiny-resnet_cpu-8min_mnist-lego.py'

# Baseline: the mean of the peaks of one map per class is its count.
# mRMSE 0.381 on 500 test scenes (seed 0).
model = dict(head=dict(_delete_=True, type='mmcount.PooledCountHead', num_classes=10, in_channels=64, pooling='peak'))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
