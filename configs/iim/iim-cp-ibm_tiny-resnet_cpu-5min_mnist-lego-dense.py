_base_ = './iim_tiny-resnet_cpu-5min_mnist-lego-dense.py'

# Ablation (Table 3): a threshold for each image; the loss of the binarized map teaches both.
model = dict(
    head=dict(
        binarizer=dict(_delete_=True, type='mmcount.ImageThreshold', in_channels=64, feat_stride=4, threshold_stride=4)
    )
)
