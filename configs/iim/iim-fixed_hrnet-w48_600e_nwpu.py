_base_ = './iim_hrnet-w48_600e_nwpu.py'

# Ablation (Table 3): a fixed threshold of 0.5. Nothing depends on it in training, so that one checkpoint serves
# all fixed thresholds.
model = dict(head=dict(binarizer=dict(_delete_=True, type='mmcount.FixedThreshold', value=0.5), loss_bin=None))
