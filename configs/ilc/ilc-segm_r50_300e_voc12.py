"""ILC with instance masks on VOC 2012 (Table 5).

0.8, 1e-5 and 0.2 weigh response, background and density.

Command:  python tools/train.py configs/ilc/ilc-segm_r50_300e_voc12.py
Data:     VOC 2012
Hardware: made for GPUs
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/ilc_r50.py',
    '../_base_/datasets/voc12_segm.py',
    '../_base_/schedules/sgd_300e.py',
]

# No proposals are read in training, so only the validation does, every 20 epochs.
model = dict(_delete_=True, type='mmcount.PeakSegmentor', counter=_base_.model)
train_cfg = dict(val_interval=max(1, _base_.max_epochs // 15))
