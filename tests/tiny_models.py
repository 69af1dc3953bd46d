"""Configs of a counter that trains for seconds, and of a counter and a detector with random weights."""

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import save_checkpoint

from mmcount.utils import register_all_modules

TRAINING = """
default_scope = 'mmcount'
codec = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=2)
scene = dict(canvas=(32, 32), layout='single', merge_classes=True, num_objects=(0, 4), part_size=8, background='black')
train_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.RandomDihedral'),
    dict(type='mmcount.HaloCrop', codec=codec, size=24, extend=8),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    backbone=dict(type='mmcount.CountCeption', window_size=8, stride=2, norm_eval=True),
    head=dict(type='mmcount.RedundantCountHead', codec=codec, norm_cfg=None, act_cfg=None, init_bias='target_mean'),
)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='mmcount.MNISTLego', subset='train', num_samples=12, scene=scene, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcount.MNISTLego', subset='val', num_samples=5, scene=scene, pipeline=test_pipeline,
                 test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='mmcount.CountMetric'), dict(type='mmcount.CalibrationMetric')]
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6, val_interval=3)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=6, T_max=6)]
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3, save_best='count/MAE', rule='less'),
)
custom_hooks = [
    dict(type='mmcount.DataInitHook', num_batches=2),
    dict(type='mmcount.RandomStateHook'),
    dict(type='mmcount.CountCalibrationHook'),
]
log_processor = dict(by_epoch=False)
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
randomness = dict(seed=0)
"""

COUNTER = """
default_scope = 'mmcount'
codec = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=2)
pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    backbone=dict(type='mmcount.CountCeption', window_size=8, stride=2),
    head=dict(type='mmcount.RedundantCountHead', codec=codec, norm_cfg=None, act_cfg=None),
)
test_dataloader = dict(batch_size=1, dataset=dict(type='mmcount.MNISTLego', subset='test', pipeline=pipeline))
"""

# Names without a scope, as mmdet's own configs write them.
DETECTOR = """
default_scope = 'mmdet'
model = dict(
    type='RetinaNet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[0, 0, 0], std=[255, 255, 255], pad_size_divisor=32),
    backbone=dict(type='ResNet', depth=18, out_indices=(3,), init_cfg=None),
    neck=dict(type='ChannelMapper', in_channels=[512], out_channels=8),
    bbox_head=dict(
        type='RetinaHead', num_classes=2, in_channels=8, feat_channels=8, stacked_convs=1,
        anchor_generator=dict(type='AnchorGenerator', scales=[1], ratios=[0.5, 1.0], strides=[32]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='L1Loss'),
    ),
    test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=1.0), max_per_img=5),
)
test_pipeline = [
    dict(type='LoadImageFromFile', backend_args=None),
    dict(type='Resize', scale=(64, 64), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
test_dataloader = dict(
    dataset=dict(type='CocoDataset', metainfo=dict(classes=('cat', 'dog')), pipeline=test_pipeline)
)
"""


def save_model(folder, name, text, meta):
    """Write a config and random weights of its model; gives both files."""
    path = folder / f'{name}.py'
    path.write_text(text)
    register_all_modules(init_default_scope=False)
    cfg = Config.fromfile(path)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
    weights = folder / f'{name}.pth'
    save_checkpoint(dict(state_dict=model.state_dict(), meta=dict(meta, cfg=cfg.pretty_text)), str(weights))
    return path, weights
