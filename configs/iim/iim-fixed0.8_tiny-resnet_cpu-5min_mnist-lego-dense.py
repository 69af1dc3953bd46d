_base_ = './iim-fixed_tiny-resnet_cpu-5min_mnist-lego-dense.py'

# Ablation (Table 3): the checkpoint of iim-fixed, cut at 0.8.
model = dict(head=dict(binarizer=dict(value=0.8)))
