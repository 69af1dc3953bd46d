_base_ = './count-ception_1000e_vgg-cells.py'

# What the released code trains: a scale and shift in place of batch normalisation, raw 0..255 images, Adam at 5e-5,
# batches of 2 in a fixed order.
norm_cfg = dict(type='mmcount.ChannelAffine')

model = dict(
    data_preprocessor=dict(std=[1, 1, 1]),
    backbone=dict(norm_cfg=norm_cfg, norm_eval=False),
    head=dict(norm_cfg=norm_cfg, norm_eval=False),
)
train_dataloader = dict(batch_size=2, sampler=dict(shuffle=False))
optim_wrapper = dict(optimizer=dict(lr=0.00005))
train_cfg = dict(val_interval=1)
