_base_ = './iim_hrnet-w48_600e_nwpu.py'

# Ablation (Table 3): a threshold for each image; the loss of the binarized map teaches the threshold only.
model = dict(
    head=dict(binarizer=dict(_delete_=True, type='mmcount.ImageThreshold', in_channels=720), grad_scales=(0.0, -1.0))
)
