"""IIM end to end: the config of dense scenes trains and resumes, optimisers are as published, files become scores."""

import copy
import math
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner

from benchmarks.real_data import data_root
from mmcount.registry import MODELS, PARAM_SCHEDULERS
from mmcount.utils import register_all_modules

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'iim'
LEGO = CONFIGS / 'iim_tiny-resnet_cpu-5min_mnist-lego-dense.py'
SCENE = dict(canvas=(48, 48), num_objects=(0, 8))


class Killed(Exception):
    """Stands for the power cut."""


def small_lego():
    """The config with small scenes, few steps and a narrow backbone."""
    register_all_modules()
    cfg = Config.fromfile(LEGO)
    for phase, number in (('train', 8), ('val', 2), ('test', 2)):
        cfg[f'{phase}_dataloader'].dataset.num_samples = number
        cfg[f'{phase}_dataloader'].dataset.scene.update(SCENE)
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.dataset.pipeline[2].crop_size = (32, 32)
    cfg.train_cfg.update(max_iters=4, val_interval=2)
    cfg.default_hooks.checkpoint.interval = 2
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=4, T_max=4)]
    narrow(cfg.model)
    return cfg


def narrow(model):
    model.backbone.update(stem_channels=8, base_channels=8)
    model.head.in_channels = model.head.binarizer.in_channels = 8


def train(cfg, work_dir, stop_after=None, **options):
    cfg = copy.deepcopy(cfg)
    cfg.work_dir, cfg.experiment_name = str(work_dir), f'{work_dir.name}_{os.urandom(4).hex()}'
    cfg.merge_from_dict(options)
    runner = Runner.from_cfg(cfg)
    step = runner.model.train_step

    def train_step(*args, **kwargs):
        if runner.iter == stop_after:
            raise Killed
        return step(*args, **kwargs)

    runner.model.train_step = train_step
    runner.train()
    return runner


def test_dense_scenes_train_and_resume_to_the_same_weights(tmp_path):
    cfg = small_lego()
    whole = train(cfg, tmp_path / 'whole')
    assert list((tmp_path / 'whole').glob('best_loc_F1_l*.pth'))
    with pytest.raises(Killed):
        train(cfg, tmp_path / 'cut', stop_after=3)
    resumed = train(cfg, tmp_path / 'cut', resume=True)
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name
    metrics = resumed.test()
    assert {'loc/F1_l', 'loc/F1_s', 'loc/MAE', 'loc/MSE'} <= set(metrics)


def test_one_training_serves_all_fixed_thresholds():
    register_all_modules()
    half, high = (
        Config.fromfile(CONFIGS / LEGO.name.replace('iim_', f'{name}_')) for name in ('iim-fixed', 'iim-fixed0.8')
    )
    models = [MODELS.build(cfg.model) for cfg in (half, high)]
    assert [model.head.binarizer.value for model in models] == [0.5, 0.8]
    assert all(model.head.loss_bin_module is None for model in models)
    models[1].load_state_dict(models[0].state_dict())
    half.model.head.binarizer.value = 0.8
    assert half.model == high.model


@pytest.mark.parametrize(('name', 'factor'), [('iim_hrnet-w48_600e_nwpu', 0.1), ('iim_vgg16-fpn_600e_nwpu', 0.02)])
def test_published_optimiser(name, factor):
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    (wrapper,) = [build_optim_wrapper(model, cfg.optim_wrapper)]
    assert isinstance(wrapper.optimizer, torch.optim.Adam)
    assert not isinstance(wrapper.optimizer, torch.optim.AdamW)
    settings = {id(p): (g['lr'], g['weight_decay']) for g in wrapper.param_groups for p in g['params']}
    for key, p in model.named_parameters():
        lr, decay = (1e-5 * factor, 0.0) if key.startswith('head.binarizer') else (1e-5, 1e-5)
        assert settings[id(p)] == pytest.approx((lr, decay)), key
    loop = cfg.train_cfg
    assert (loop.max_epochs, loop.val_begin, loop.val_interval) == (600, 24, 4)
    assert (cfg.train_dataloader.batch_size, cfg.train_dataloader.drop_last) == (12, True)


def test_published_decay_of_the_learning_rate():
    register_all_modules()
    (config,) = Config.fromfile(CONFIGS / 'iim_hrnet-w48_600e_nwpu.py').param_scheduler
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = PARAM_SCHEDULERS.build(dict(config, end=3, optimizer=optimizer, epoch_length=5))
    # MMEngine arrives at zero with the last step, the published formula one step later.
    for step in range(1, 15):
        optimizer.step()
        scheduler.step()
        assert optimizer.param_groups[0]['lr'] == pytest.approx((1 - step / 14) ** 0.9)


def test_crowds_from_their_files_to_scores(tmp_path):
    """ShanghaiTech B as downloaded: two steps of a narrow network on crops, F1 and MAE of test images."""
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    register_all_modules()
    cfg = Config.fromfile(CONFIGS / 'iim-points_hrnet-w48_2000e_shanghaitech-b.py')
    codec, model = cfg.model.head.codec, Config.fromfile(LEGO).model
    cfg.model = model
    cfg.model.head.codec = codec
    narrow(cfg.model)
    for phase in ('train', 'val', 'test'):
        loader = cfg[f'{phase}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(data_root=str(root), indices=2)
        for step in loader.dataset.pipeline:
            if step['type'] == 'mmcount.ResizeToMinimum':
                step.update(scale=0.25, min_size=(96, 128))
            if step['type'] == 'mmcount.RandomScaleToMultiple':
                step['min_size'] = (96, 128)
            if step['type'] == 'mmdet.RandomCrop':
                step['crop_size'] = (64, 64)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.update(max_epochs=2, val_begin=2, val_interval=2)
    cfg.param_scheduler[0].end = 2
    cfg.env_cfg.cudnn_benchmark = False
    runner = train(cfg, tmp_path / 'run')
    metrics = runner.test()
    assert {'loc/F1_sigma4', 'loc/F1_sigma8', 'loc/MAE', 'loc/NAE'} <= set(metrics)
    assert all(math.isfinite(value) for value in metrics.values())
    assert 0 <= metrics['loc/F1_sigma8'] <= 1
    annotated = [len(runner.test_dataloader.dataset.get_data_info(index)['points']) for index in range(2)]
    assert annotated[0] == 16
    # What the metric counted is what the files say: these are the errors of a network that finds nothing at all.
    errors = {'MAE': sum(annotated) / 2, 'MSE': math.hypot(*annotated) / math.sqrt(2)}
    runner.model.head.binarizer = MODELS.build(dict(type='mmcount.FixedThreshold', value=1.0))
    metrics = runner.test_loop.run()
    for key, value in errors.items():
        assert metrics[f'loc/{key}'] == pytest.approx(value)
