"""IIM on NWPU-Crowd, ablation (Table 3): one threshold for each image, trained by the second loss.

Command:  python tools/train.py configs/iim/iim-ibm_hrnet-w48_600e_nwpu.py
Data:     NWPU-Crowd
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_hrnet-w48.py',
    '../_base_/datasets/nwpu.py',
    '../_base_/schedules/adam_poly.py',
]

model = dict(
    data_preprocessor=_base_.img_norm,
    head=dict(
        codec=_base_.codec,
        binarizer=dict(_delete_=True, type='mmcount.ImageThreshold', in_channels=720),
        grad_scales=(0.0, -1.0),
    ),
)
