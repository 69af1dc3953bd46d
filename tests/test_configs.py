"""Every config builds, takes a training step and predicts."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmcount.datasets import CountDataset
from mmcount.registry import HOOKS, METRICS, MODELS, TRANSFORMS, VISUALIZERS
from mmcount.utils import register_all_modules

CONFIGS = sorted((Path(__file__).resolve().parents[1] / 'configs').glob('[!_]*/*.py'))
SIDE = 8


def load(path):
    register_all_modules()
    init_default_scope('mmcount')
    return Config.fromfile(path)


def small_dataset(pipeline, num_classes):
    """Images of dots in memory, read by the pipeline of the config."""
    rng = np.random.default_rng(0)
    infos = []
    for index, number in enumerate((3, 0)):
        points = rng.integers(0, 2 * SIDE, (number, 2)).astype(np.float32)
        img = rng.integers(0, 255, (2 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
        boxes = np.concatenate([points - 1, points + 2], axis=1)
        labels = np.zeros(number, dtype=np.int64)
        masks = [np.ones(img.shape[:2], dtype=np.uint8)] * number
        infos.append(dict(img=img, img_id=str(index), points=points, bboxes=boxes, labels=labels, masks=masks))
    pipeline = [copy.deepcopy(step) for step in pipeline]
    for step in pipeline:
        if step['type'] == 'mmcount.LoadImage':
            step['type'] = 'mmdet.LoadImageFromNDArray'
        if step['type'] == 'mmcount.HaloCrop':
            step['size'] = SIDE
        if step['type'] == 'mmdet.Resize' and 'scale' in step:
            step['scale'] = (8 * SIDE, 8 * SIDE)
        if step['type'] == 'mmcount.LoadMaskProposals':
            step['source'] = dict(type='mmcount.HierarchicalProposals')
    classes = tuple(f'class-{index}' for index in range(num_classes))
    return CountDataset(data_list=infos, metainfo=dict(classes=classes), pipeline=pipeline)


def counter_of(model):
    """The counter inside of a segmentor, or the model itself."""
    return getattr(model, 'counter', model)


def small_model(cfg):
    """The model of the config at its own window and stride, without weights from elsewhere."""
    backbone = counter_of(cfg.model).backbone
    if (backbone.get('init_cfg') or {}).get('type') == 'Pretrained':
        backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_trains_one_step_and_predicts(path):
    torch.manual_seed(0)
    cfg = load(path)
    model = small_model(cfg).train()
    num_classes = counter_of(model).head.num_classes
    train = small_dataset(cfg.train_dataloader.dataset.pipeline, num_classes)
    batch = pseudo_collate([train[0], train[1]])
    if any(hook['type'] == 'mmcount.DataInitHook' for hook in cfg.custom_hooks):
        model.init_from_data([copy.deepcopy(batch)])
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert any(p.grad is not None and bool((p.grad != 0).any()) for p in model.parameters())

    test = small_dataset(cfg.test_dataloader.dataset.pipeline, num_classes)
    with torch.no_grad():
        samples = model.eval().test_step(pseudo_collate([test[0]]))
    assert samples[0].pred_counts.shape == (num_classes,)
    assert samples[0].gt_counts.tolist() == [3] + [0] * (num_classes - 1)
    assert torch.isfinite(samples[0].pred_counts).all()


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds_its_runner_parts_and_writes_scopes(path):
    cfg = load(path)
    for hook in cfg.custom_hooks:
        assert HOOKS.build(copy.deepcopy(hook)) is not None
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
            assert METRICS.build(copy.deepcopy(metric)) is not None
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.type.startswith(('mmcount.', 'mmdet.'))
        for step in loader.dataset.pipeline:
            assert step['type'].startswith(('mmcount.', 'mmdet.'))
            assert TRANSFORMS.build(copy.deepcopy(dict(step))) is not None
    visualizer = dict(cfg.visualizer, name=f'visualizer-{path.stem}', vis_backends=None)
    assert VISUALIZERS.build(visualizer) is not None
    assert cfg.default_hooks.checkpoint.save_best in ('count/MAE', 'count/mRMSE')


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_training_and_model_speak_one_codec(path):
    cfg = load(path)
    codecs = [
        step['codec'] for step in cfg.train_dataloader.dataset.pipeline if step['type'] == 'mmcount.GenerateTarget'
    ]
    if not codecs:
        # Heads without a target map learn from counts of whole images, known up to the same limit on both sides.
        assert 'codec' not in counter_of(cfg.model).head
        assert cfg.train_dataloader.dataset.count_limit == counter_of(cfg.model).head.get('limit', 4)
        return
    (pipeline_codec,) = codecs
    assert pipeline_codec == cfg.model.head.codec
    assert cfg.model.backbone.get('stride', 1) == pipeline_codec['stride']


def test_names_follow_the_convention():
    assert CONFIGS
    for path in CONFIGS:
        assert path.stem == path.stem.lower()
        assert len(path.stem.split('_')) in (3, 4), path.stem
