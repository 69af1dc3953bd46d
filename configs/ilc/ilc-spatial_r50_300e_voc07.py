_base_ = './ilc_r50_300e_voc07.py'

# Ablation (Table 2): without the ranking term.
model = dict(head=dict(loss_weights=dict(rank=0)))
