_base_ = './ilc_r50_300e_voc07.py'

# As the paper prints it, where the released code differs: losses averaged within each image first, and the derivative
# of the mean of the peaks.
model = dict(head=dict(reduction='image', grad='mean'))
