"""A tiny counter and a tiny detector with random weights, and a folder of pictures."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import save_checkpoint

from mmcount.utils import register_all_modules

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


def _save(folder, name, text, meta):
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


@pytest.fixture(scope='session')
def counter_files(tmp_path_factory):
    """Config and weights of a counter."""
    return _save(
        tmp_path_factory.mktemp('counter'), 'tiny-counter', COUNTER, dict(dataset_meta=dict(classes=('cell',)))
    )


@pytest.fixture(scope='session')
def detector_files(tmp_path_factory):
    """Config and weights of a detector of two classes, which knows no more than five boxes."""
    import mmdet.models  # noqa: F401

    return _save(tmp_path_factory.mktemp('detector'), 'tiny-detector', DETECTOR, {})


@pytest.fixture
def photos(tmp_path):
    """Three pictures of which two have one name, a file that is none, and a text."""
    folder = tmp_path / 'photos'
    rng = np.random.default_rng(0)
    for name, shape in (('b.png', (20, 30)), ('x/a.jpg', (24, 24)), ('y/a.jpg', (16, 40))):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    (folder / 'x' / 'broken.png').write_bytes(b'no picture')
    (folder / 'notes.txt').write_text('not an image')
    return folder
