"""The full-size configs of lower-count supervision train on real images, save, resume in their stage and evaluate."""

import os
from pathlib import Path

import pytest
import torch

from benchmarks.real_data import data_root
from mmcount.engine.config import read_config
from mmcount.engine.launch import build_runner
from mmcount.utils import register_all_modules

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'ilc'
SIDE = 64
#: The classes of VOC by their COCO names.
VOC_CLASSES = (
    'airplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow', 'dining table', 'dog',
    'horse', 'motorcycle', 'person', 'potted plant', 'sheep', 'couch', 'train', 'tv',
)  # fmt: skip


def load(name, work_dir, root, epochs, **options):
    """The config on a few images of a COCO sample, made small; two stages of two epochs and of one."""
    register_all_modules()
    cfg = read_config(CONFIGS / f'{name}.py', {'img_scale': (SIDE, SIDE)})
    for kind, subset, images in (('train', 'train2017', 6), ('val', 'val2017', 2), ('test', 'val2017', 2)):
        loader = cfg[f'{kind}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=3 if kind == 'train' else 1)
        reader = loader.dataset.dataset if kind == 'train' else loader.dataset
        small = dict(
            type='mmcount.COCOCounts', data_root=str(root), ann_file=f'{subset}.json', data_prefix=dict(img=subset),
            pipeline=reader.pipeline, indices=images, test_mode=kind != 'train',
        )  # fmt: skip
        if name.endswith('voc07'):
            small['metainfo'] = dict(classes=VOC_CLASSES)
        if kind == 'train':
            assert loader.dataset.limit == 4
            loader.dataset.dataset = small
        else:
            loader.dataset = small
    stage = next(hook for hook in cfg.custom_hooks if hook['type'] == 'mmcount.TrainingStageHook')
    assert tuple(stage.milestones) == (20,)
    stage.milestones = (2,)
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'{work_dir.name}_{os.urandom(4).hex()}'
    cfg.launcher = 'none'
    cfg.merge_from_dict({'model.backbone.init_cfg': None, 'train_cfg.max_epochs': epochs, **options})
    return cfg


def train(cfg):
    """Train; the runner, and for every epoch its stage and the losses of its last iteration."""
    runner = build_runner(cfg)
    seen = {}
    step = runner.model.train_step

    def train_step(*args, **kwargs):
        losses = step(*args, **kwargs)
        seen[runner.epoch] = (runner.model.head.stage, {name: value.item() for name, value in losses.items()})
        return losses

    runner.model.train_step = train_step
    runner.train()
    return runner, seen


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'num_classes'), [('ilc_r50_300e_coco14', 80), ('ilc_r50_300e_voc07', 20)])
def test_full_size_config_trains_saves_resumes_in_its_stage_and_evaluates(name, num_classes, tmp_path):
    root = data_root('coco_sample')
    if root is None:
        pytest.skip('needs the COCO sample')
    first, seen = train(load(name, tmp_path / 'cut', root, epochs=1))
    assert first.iter == 2
    assert [stage for stage, _ in seen.values()] == [1]
    checkpoint = tmp_path / 'cut' / 'epoch_1.pth'
    saved = torch.load(checkpoint, weights_only=False)
    assert saved['state_dict']['head.class_branch.2.bias'].shape == (num_classes,)
    assert len(saved['meta']['dataset_meta']['classes']) == num_classes

    # A new head is in stage 2: that the resumed run begins in stage 1 comes from its epoch.
    resumed, later = train(load(name, tmp_path / 'cut', root, epochs=3, resume=True))
    assert {epoch: stage for epoch, (stage, _) in later.items()} == {1: 1, 2: 2}
    stage_1, stage_2 = ({key for key in losses if key.startswith('loss_')} for _, losses in later.values())
    assert stage_1 == {'loss_cls', 'loss_count', 'loss_rank'}
    assert stage_2 == stage_1 | {'loss_spatial_pos', 'loss_spatial_neg'}
    assert all(torch.isfinite(torch.tensor(list(losses.values()))).all() for _, losses in later.values())
    rates = {group['lr'] for group in resumed.optim_wrapper.param_groups}
    assert rates == {0.01, 0.01 * 0.01}

    if num_classes == 80:
        options = {'default_hooks.checkpoint.interval': 9}
        whole, straight = train(load(name, tmp_path / 'whole', root, epochs=3, **options))
        assert {epoch: straight[epoch] for epoch in later} == later
        expected = whole.model.state_dict()
        for key, value in resumed.model.state_dict().items():
            assert torch.equal(value, expected[key]), key

    best = next((tmp_path / 'cut').glob('best_count_mRMSE*.pth'))
    metrics = build_runner(load(name, tmp_path / 'test', root, epochs=1, load_from=str(best))).test()
    for key in ('count/mRMSE', 'count/m-relRMSE', 'count/mRMSE-nz', 'count/m-relRMSE-nz'):
        assert metrics[key] >= 0, key
    assert any(key.startswith('game') or 'GAME' in key for key in metrics)
