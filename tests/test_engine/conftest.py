"""A tiny training run that the tests of the engine share."""

from pathlib import Path

import pytest

TINY_CONFIG = """
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
val_evaluator = dict(type='mmcount.CountMetric')
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


@pytest.fixture
def tiny_config(tmp_path: Path) -> Path:
    """The file of a config that trains for seconds."""
    path = tmp_path / 'tiny.py'
    path.write_text(TINY_CONFIG)
    return path
