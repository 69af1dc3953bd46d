_base_ = './iim_tiny-resnet_cpu-5min_mnist-lego-dense.py'

# Ablation (Table 3): a fixed threshold of 0.5. Nothing depends on it in training, so that one checkpoint serves
# all fixed thresholds.
model = dict(head=dict(binarizer=dict(_delete_=True, type='mmcount.FixedThreshold', value=0.5), loss_bin=None))
