_base_ = './iim_hrnet-w48_600e_nwpu.py'

# Ablation (Table 3): the loss of the binarized map teaches the thresholds only.
model = dict(head=dict(grad_scales=(0.0, -1.0)))
