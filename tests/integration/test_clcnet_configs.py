"""The configs of CLCNet and of the detectors that it extends."""

import copy
import functools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmcount.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmcount.utils import register_all_modules

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / 'clcnet'
CONFIGS = sorted(FOLDER.glob('*.py'))
SHELVES = [path for path in CONFIGS if path.stem.endswith('shelf')]
# The ten counting rows of Table 2: channels of the count layer at each stage.
TABLE = {
    's1-reg': [140],
    's2-reg': [1, 1],
    's3-reg': [1, 1, 1],
    's6-reg': [1] * 6,
    's1-cls2': [64],
    's2-cls2': [8, 64],
    's3-cls2': [4, 16, 64],
    's6-cls2': [2, 4, 8, 16, 32, 64],
    's1-cls10': [100],
    's2-cls10': [10, 100],
}
OVERLAPS = {1: [0.5], 2: [0.5, 0.7], 3: [0.5, 0.6, 0.7], 6: [0.5, 0.55, 0.6, 0.65, 0.7, 0.75]}


@functools.cache
def read(path):
    return Config.fromfile(path)


def load(path):
    register_all_modules()
    init_default_scope('mmcount')
    return copy.deepcopy(read(path))


def listed(value):
    return list(value) if isinstance(value, list | torch.nn.ModuleList) else [value]


@pytest.mark.parametrize('row', TABLE)
def test_rows_of_the_paper(row):
    cfg = load(FOLDER / f'clcnet-{row}_r50_fpn_1x_locount.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    heads = listed(model.roi_head.bbox_head)
    assert [head.fc_cnt.out_features for head in heads] == TABLE[row]
    assert [assigner.pos_iou_thr for assigner in listed(model.roi_head.bbox_assigner)] == OVERLAPS[len(heads)]
    assert all(type(sampler).__name__ == 'CountRandomSampler' for sampler in listed(model.roi_head.bbox_sampler))
    assert all(head.num_classes == 140 and head.fc_cls.out_features == 141 for head in heads)
    assert all(head.reg_class_agnostic == (len(heads) > 1) for head in heads)
    assert all(head.loss_cnt.loss_weight == (1e-4 if 'reg' in row else 0.1) for head in heads)
    stds = [tuple(head.bbox_coder.stds) for head in heads]
    assert stds == sorted(stds, reverse=True)
    assert stds[0] == (0.1, 0.1, 0.2, 0.2)
    assert (model.test_cfg.rpn.max_per_img, model.test_cfg.rcnn.max_per_img) == (512, 150)
    assert cfg.optim_wrapper.optimizer == dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001)
    assert cfg.train_cfg.max_epochs == 12
    scales = [step.scale for step in cfg.train_dataloader.dataset.pipeline if step.type == 'mmdet.Resize']
    assert scales == [(1333, 800)]


def test_the_count_branch_is_small():
    sizes = {}
    for stem in ('cascade-rcnn', 'clcnet-s3-cls2'):
        with torch.device('meta'):
            model = MODELS.build(load(FOLDER / f'{stem}_r50_fpn_1x_locount.py').model)
        sizes[stem] = sum(parameter.numel() for parameter in model.parameters())
    assert sizes['clcnet-s3-cls2'] - sizes['cascade-rcnn'] == (1024 + 1) * (4 + 16 + 64)
    assert sizes['clcnet-s3-cls2'] < 1.005 * sizes['cascade-rcnn']


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_parts_of_the_runner_build(path):
    cfg = load(path)
    for hook in cfg.custom_hooks:
        assert HOOKS.build(copy.deepcopy(hook)) is not None
    for evaluator in (*listed(cfg.val_evaluator), *listed(cfg.test_evaluator)):
        assert METRICS.build(copy.deepcopy(evaluator)) is not None
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.type.startswith('mmcount.')
        for step in loader.dataset.pipeline:
            assert step['type'].startswith(('mmcount.', 'mmdet.'))
            assert TRANSFORMS.build(copy.deepcopy(dict(step))) is not None
    assert cfg.default_hooks.checkpoint.save_best == ('locount/AP_lc' if path in SHELVES else None)
    assert path.stem == path.stem.lower()


@pytest.mark.parametrize('path', SHELVES, ids=lambda path: path.stem)
def test_shelves_train_a_step_and_are_evaluated(path):
    torch.manual_seed(0)
    cfg = load(path)
    model = MODELS.build(cfg.model)
    train = DATASETS.build(dict(cfg.train_dataloader.dataset, num_samples=2))
    losses = model.train()(**model.data_preprocessor(pseudo_collate([train[0], train[1]]), True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert any('loss_cnt' in name for name in losses) == ('clcnet' in path.stem)
    unused = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused

    test = DATASETS.build(dict(cfg.test_dataloader.dataset, num_samples=1))
    with torch.no_grad():
        samples = model.eval().test_step(pseudo_collate([test[0]]))
    metric = METRICS.build(copy.deepcopy(listed(cfg.test_evaluator)[0]))
    metric.dataset_meta = test.metainfo
    metric.process({}, [sample.to_dict() for sample in samples])
    assert 0 <= metric.evaluate(size=1)['locount/AP_lc'] <= 1
    found = samples[0].pred_instances
    assert ('counts' in found) == ('clcnet' in path.stem)
    assert int(found.get('counts', torch.ones(1)).max()) <= 20
