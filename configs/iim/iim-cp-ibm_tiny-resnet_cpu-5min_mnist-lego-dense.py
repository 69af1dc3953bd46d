"""A small IIM on dense scenes of digits, ablation (Table 3): one threshold for each image, trained by both losses.

Command:  python tools/train.py configs/iim/iim-cp-ibm_tiny-resnet_cpu-5min_mnist-lego-dense.py
Data:     MNIST-LEGO dense
Hardware: one CPU core
Time:     not measured
Figures:  none, not run here
"""

_base_ = [
    '../_base_/models/iim_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_dense.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

model = dict(
    head=dict(
        codec=_base_.codec,
        binarizer=dict(_delete_=True, type='mmcount.ImageThreshold', in_channels=64, feat_stride=4, threshold_stride=4),
    )
)

max_iters = 1500
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 3))
optim_wrapper = dict(
    optimizer=dict(lr=0.004, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.1, decay_mult=0.0)}),
)
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 3), save_best='loc/F1_l', rule='greater'))
