_base_ = './ilc_r50_300e_voc07.py'

# Baseline: two layers on pooled features (Chattopadhyay et al., CVPR 2017).
model = dict(head=dict(_delete_=True, type='mmcount.GlanceHead', num_classes=20, in_channels=2048))
custom_hooks = [dict(type='mmcount.RandomStateHook')]
