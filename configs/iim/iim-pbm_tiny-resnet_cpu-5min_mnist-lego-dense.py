_base_ = './iim_tiny-resnet_cpu-5min_mnist-lego-dense.py'

# Ablation (Table 3): the loss of the binarized map teaches the thresholds only.
model = dict(head=dict(grad_scales=(0.0, -1.0)))
