_base_ = './iim-fixed_hrnet-w48_600e_nwpu.py'

# Ablation (Table 3): the checkpoint of iim-fixed, cut at 0.8.
model = dict(head=dict(binarizer=dict(value=0.8)))
