"""ILC on your own images with a table of counts, on a CPU.

For small objects that look alike; ilc_r50_300e_counts-csv starts from ImageNet and needs a GPU.

Command:  python tools/train.py configs/your_data/ilc_tiny-resnet_cpu-8min_counts-csv.py \\
              --cfg-options data_root=my_data ann_file=counts.csv classes=live,dead
Data:     Own images
Hardware: one CPU core
Time:     not measured
Figures:  none, they depend on your images
"""

_base_ = [
    '../_base_/models/ilc_tiny-resnet.py',
    '../_base_/datasets/counts_csv.py',
    '../_base_/schedules/adamw_bf16_cpu.py',
]

model = dict(head=dict(num_classes=len(_base_.classes), limit=_base_.limit))
train_dataloader = dict(sampler=dict(_delete_=True, type='InfiniteSampler', shuffle=True))
default_hooks = dict(checkpoint=dict(save_best='count/mRMSE', rule='less'))
custom_hooks = [
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.TrainingStageHook', milestones=(50,), by_epoch=False),
]
