_base_ = './ilc_tiny-resnet_cpu-8min_mnist-lego.py'

# Baseline: two layers on pooled features.
# mRMSE 0.366 on 500 test scenes (seed 0).
model = dict(head=dict(_delete_=True, type='mmcount.GlanceHead', num_classes=10, in_channels=64))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
