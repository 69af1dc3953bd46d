"""A small IIM on dense scenes of digits, ablation (Table 3): a fixed threshold of 0.5.

Nothing depends on the threshold in training, so that one checkpoint serves all fixed thresholds.

Command:  python tools/train.py configs/iim/iim-fixed_tiny-resnet_cpu-5min_mnist-lego-dense.py
Data:     MNIST-LEGO dense
Hardware: one core of an AMD EPYC (Zen 4), beside other work
Time:     5 to 11 min
Figures:  F1_l 0.996 (200 test scenes, last checkpoint, mean of seeds 0, 1, 2; README.md)
"""

_base_ = [
    '../_base_/models/iim_tiny-resnet.py',
    '../_base_/datasets/mnist_lego_dense.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

model = dict(
    head=dict(
        codec=_base_.codec,
        binarizer=dict(_delete_=True, type='mmcount.FixedThreshold', value=0.5),
        loss_bin=None,
    )
)

max_iters = 1500
train_cfg = dict(max_iters=max_iters, val_interval=max(1, max_iters // 3))
optim_wrapper = dict(
    optimizer=dict(lr=0.004, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={'head.binarizer': dict(lr_mult=0.1, decay_mult=0.0)}),
)
default_hooks = dict(checkpoint=dict(interval=max(1, max_iters // 3), save_best='loc/F1_l', rule='greater'))
