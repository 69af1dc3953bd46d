"""P2PNet and DM-Count from files to scores: the configs of own data train, and published optimisers are as written."""

import csv
import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from benchmarks.real_data import data_root
from mmcount.engine.config import read_config
from mmcount.registry import MODELS
from mmcount.utils import register_all_modules

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
OWN = [CONFIGS / 'your_data' / f'{name}_tiny-resnet_cpu-5min_points-csv.py' for name in ('p2pnet', 'dm-count')]
PUBLISHED = sorted([*(CONFIGS / 'p2pnet').glob('*_vgg*.py'), *(CONFIGS / 'dm_count').glob('*_vgg*.py')])


@pytest.fixture
def own_data(tmp_path):
    """A folder of ten images of bright squares and the table of their centres; the last image holds none."""
    root = tmp_path / 'my cells'
    (root / 'images').mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = []
    for index in range(10):
        img = rng.integers(0, 60, (48, 64, 3), dtype=np.uint8)
        for _ in range(6 if index < 9 else 0):
            x, y = (int(rng.integers(4, side - 4)) for side in (64, 48))
            img[y - 2 : y + 3, x - 2 : x + 3] = 220
            rows.append((f'{index}.png', x, y))
        cv2.imwrite(str(root / 'images' / f'{index}.png'), img)
    with open(root / 'points.csv', 'w', newline='') as file:
        csv.writer(file).writerows([('image', 'x', 'y'), *rows])
    return root


def narrow(model):
    model.backbone.update(stem_channels=8, base_channels=8)
    model.head.in_channels = (16,) if isinstance(model.head.in_channels, (list, tuple)) else 16


def runner_of(path, root, work_dir, steps):
    """A runner of the config with the options that a user gives, and a narrow backbone."""
    register_all_modules()
    cfg = read_config(path, dict(data_root=str(root), num_workers='0', max_iters=str(steps), work_dir=str(work_dir)))
    cfg.train_dataloader.batch_size = 4
    narrow(cfg.model)
    cfg.experiment_name = f'{path.stem}_{os.urandom(4).hex()}'
    return Runner.from_cfg(cfg)


@pytest.mark.parametrize('path', OWN, ids=lambda path: path.stem)
def test_own_data_trains_from_its_files_to_scores(path, own_data, tmp_path):
    runner = runner_of(path, own_data, tmp_path / 'work', steps=4)
    before = {name: value.clone() for name, value in runner.model.state_dict().items()}
    runner.train()
    assert any(
        not torch.equal(value, before[name]) for name, value in runner.model.head.state_dict(prefix='head.').items()
    )
    assert list((tmp_path / 'work').glob('best_count_MAE*.pth'))
    metrics = runner.test()
    assert {'count/MAE', 'count/RMSE'} <= set(metrics)
    assert all(math.isfinite(value) for value in metrics.values())
    if 'p2pnet' in path.stem:
        assert 0 <= metrics['loc/F1_sigma8'] <= 1


@pytest.mark.parametrize('path', OWN, ids=lambda path: path.stem)
def test_a_few_steps_lower_the_error_of_the_count(path, own_data, tmp_path):
    torch.manual_seed(0)
    runner = runner_of(path, own_data, tmp_path / 'work', steps=1)
    runner.model.init_weights()
    model = runner.model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    batch = next(iter(runner.build_dataloader(runner._train_dataloader, seed=0)))
    if 'gt_map' in batch['data_samples'][0]:
        model.init_from_data([batch])
    errors = []
    for _ in range(40):
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        optimizer.zero_grad()
        model.parse_losses(losses)[0].backward()
        optimizer.step()
        errors.append(float(losses['count_error']))
    assert np.mean(errors[-5:]) < 0.5 * max(np.mean(errors[:5]), 1.0)


@pytest.mark.parametrize('name', ['p2pnet', 'dm-count'])
def test_crowds_from_their_files_to_scores(name, tmp_path):
    """ShanghaiTech B as downloaded: two steps of a narrow network by the published pipelines, errors of test images."""
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    register_all_modules()
    (path,) = (one for one in PUBLISHED if name in one.stem and one.stem.endswith('shanghaitech-b'))
    cfg, tiny = Config.fromfile(path), Config.fromfile(next(one for one in OWN if name in one.stem))
    cfg.model = tiny.model
    narrow(cfg.model)
    for phase in ('train', 'val', 'test'):
        loader = cfg[f'{phase}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(root), indices=2)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step['type'] == 'mmdet.RandomCrop':
            step['crop_size'] = (128, 128)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.update(max_epochs=2, val_begin=2, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.work_dir, cfg.experiment_name = str(tmp_path), f'{path.stem}_{os.urandom(4).hex()}'
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.test()
    assert all(math.isfinite(value) for value in metrics.values())
    annotated = [len(runner.test_dataloader.dataset.get_data_info(index)['points']) for index in range(2)]
    # A counter that finds nothing errs by all that the files say.
    with torch.no_grad():
        for parameter in runner.model.head.parameters():
            parameter.zero_()
        if name == 'p2pnet':
            runner.model.head.logits[-1].bias[0::2] = 9.0
    assert runner.test_loop.run()['count/MAE'] == pytest.approx(sum(annotated) / 2)


def test_published_schedules_cover_all_published_data():
    assert len(PUBLISHED) == 8


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda path: path.stem)
def test_published_optimisers(path):
    register_all_modules()
    cfg = Config.fromfile(path)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert type(wrapper.optimizer) is torch.optim.Adam
    p2pnet = 'p2pnet' in path.stem
    settings = {id(p): (g['lr'], g['weight_decay']) for g in wrapper.param_groups for p in g['params']}
    for key, p in model.named_parameters():
        expected = (1e-5 if key.startswith('backbone') else 1e-4, 0) if p2pnet else (1e-5, 1e-4)
        assert settings[id(p)] == pytest.approx(expected), key
    assert cfg.param_scheduler == []
    assert cfg.train_dataloader.batch_size == (32 if p2pnet else 10)
    assert (cfg.optim_wrapper.get('clip_grad') or {}).get('max_norm') == (0.1 if p2pnet else None)
    assert model.head.codec.stride == 8
    if p2pnet:
        assert model.head.codec.proposals_per_cell == (8 if 'qnrf' in path.stem else 4)
