"""Counters that are fitted, through the same runner and tools as all others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.utils import register_all_modules

ROOT = Path(__file__).resolve().parents[3]

FIT_CONFIG = """
default_scope = 'mmcount'
scene = dict(canvas=(32, 32), layout='single', merge_classes=True, num_objects=(0, 2), part_size=8, background='black')
pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
classifier = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(type='mmcount.PlainConvNet', channels=(4, 8), kernel_size=3),
    head=dict(type='mmcount.ClassMapHead', num_classes=3, in_channels=8),
)
model = dict(
    type='mmcount.CountAndPoint',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    classifier=classifier,
    blocks=[dict(layer='backbone.layers.1', pooling='grid', grid=4)],
    pointer=dict(maps={'backbone.layers.1': 3}),
    svm=dict(max_count=2, regularisation=(1.0,)),
)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcount.MNISTLego', subset='train', num_samples=11, scene=scene, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcount.MNISTLego', subset='val', num_samples=6, scene=scene, pipeline=pipeline, test_mode=True),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='mmcount.SubitizingMetric', max_count=2), dict(type='mmcount.PointingMetric', max_count=2)]
test_evaluator = val_evaluator
train_cfg = dict(type='mmcount.FitLoop', save_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1, save_optimizer=False),
)
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
randomness = dict(seed=0)
"""


class Killed(Exception):
    """Stands for the power cut."""


@pytest.fixture
def fit_config(tmp_path):
    path = tmp_path / 'fit.py'
    path.write_text(FIT_CONFIG)
    return path


def make_runner(config: Path, work_dir: Path, **options) -> Runner:
    register_all_modules()
    cfg = Config.fromfile(config)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}_{os.urandom(4).hex()}'
    cfg.merge_from_dict(options)
    return Runner.from_cfg(cfg)


def fit(config: Path, work_dir: Path, stop_after: int | None = None, **options) -> Runner:
    """Fit; ``stop_after`` batches the power is cut."""
    runner = make_runner(config, work_dir, **options)
    seen = []
    observe = runner.model.observe

    def counted(inputs, data_samples, stage):
        if len(seen) == stop_after:
            raise Killed
        seen.append(stage)
        return observe(inputs, data_samples, stage)

    runner.model.observe = counted
    runner.train()
    runner.observed_batches = seen
    return runner


def fitted_state(runner: Runner) -> dict:
    return {name: value for name, value in runner.model.state_dict().items() if 'classifier' not in name}


def test_a_config_is_fitted_saved_validated_and_tested(fit_config, tmp_path):
    runner = fit(fit_config, tmp_path / 'run')
    assert runner.observed_batches == ['dictionary'] * 6 + ['count'] * 6
    assert runner.model.is_fitted
    assert not (tmp_path / 'run' / 'observed').exists()
    assert 0 <= runner.message_hub.get_scalar('val/subitizing/accuracy').current() <= 1
    tested = make_runner(fit_config, tmp_path / 'test', load_from=str(tmp_path / 'run' / 'epoch_2.pth'))
    metrics = tested.test()
    assert set(metrics) >= {'subitizing/accuracy', 'subitizing/AP'}
    for name, value in fitted_state(runner).items():
        assert torch.equal(value, fitted_state(tested)[name]), name


@pytest.mark.parametrize('stop_after', [5, 9])
def test_an_interrupted_fit_goes_on_where_it_was(fit_config, tmp_path, stop_after):
    whole = fit(fit_config, tmp_path / 'whole')
    with pytest.raises(Killed):
        fit(fit_config, tmp_path / 'cut', stop_after=stop_after)
    resumed = fit(fit_config, tmp_path / 'cut', resume=True)
    # Every second batch is saved, and a finished pass is a checkpoint.
    assert len(resumed.observed_batches) == {5: 8, 9: 4}[stop_after]
    for name, value in fitted_state(resumed).items():
        assert torch.equal(value, fitted_state(whole)[name]), name


def test_a_run_that_is_not_resumed_begins_anew(fit_config, tmp_path):
    with pytest.raises(Killed):
        fit(fit_config, tmp_path / 'cut', stop_after=5)
    assert len(fit(fit_config, tmp_path / 'cut').observed_batches) == 12


def test_other_data_are_not_mixed_with_what_was_observed(fit_config, tmp_path):
    with pytest.raises(Killed):
        fit(fit_config, tmp_path / 'cut', stop_after=5)
    with pytest.raises(ValueError, match=r'observed with \(images, batch size\) \(11, 2\), the config has \(11, 1\)'):
        fit(fit_config, tmp_path / 'cut', resume=True, **{'train_dataloader.batch_size': 1})


def test_other_models_and_shuffled_data_are_refused(fit_config, tmp_path):
    with pytest.raises(ValueError, match='a data loader that does not shuffle'):
        fit(fit_config, tmp_path / 'run', **{'train_dataloader.sampler.shuffle': True})
    runner = make_runner(fit_config, tmp_path / 'other')
    runner.model.__class__ = torch.nn.Module
    with pytest.raises(ValueError, match='FitLoop fits models that have passes, Module has none'):
        runner.build_train_loop(runner.cfg.train_cfg)


@pytest.mark.slow
def test_two_processes_fit_what_one_does(fit_config, tmp_path):
    states = []
    for processes in (1, 2):
        launch = [sys.executable]
        if processes > 1:
            launch += ['-m', 'torch.distributed.run', '--nproc_per_node=2', '--master_port=0', '--standalone']
        work_dir = tmp_path / str(processes)
        args = [str(ROOT / 'tools' / 'train.py'), str(fit_config), '--work-dir', str(work_dir)]
        done = subprocess.run(
            [*launch, *args, '--launcher', 'pytorch' if processes > 1 else 'none'],
            env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        states.append(torch.load(work_dir / 'epoch_2.pth', weights_only=False)['state_dict'])
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], atol=1e-6), name
