"""Training end to end: resume, two processes, mixed precision, calibration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.utils import register_all_modules

ROOT = Path(__file__).resolve().parents[2]


class Killed(Exception):
    """Stands for the power cut."""


def make_runner(config: Path, work_dir: Path, **options) -> Runner:
    register_all_modules()
    cfg = Config.fromfile(config)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f'{work_dir.name}_{os.urandom(4).hex()}'
    cfg.merge_from_dict(options)
    return Runner.from_cfg(cfg)


def train(config: Path, work_dir: Path, stop_after: int | None = None, **options) -> Runner:
    runner = make_runner(config, work_dir, **options)
    if stop_after is not None:
        step = runner.model.train_step

        def train_step(*args, **kwargs):
            if runner.iter == stop_after:
                raise Killed
            return step(*args, **kwargs)

        runner.model.train_step = train_step
    runner.train()
    return runner


def run_tool(tool: str, *args: str, processes: int = 1) -> str:
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    launch = [sys.executable]
    if processes > 1:
        launch += ['-m', 'torch.distributed.run', f'--nproc_per_node={processes}', '--master_port=0', '--standalone']
    done = subprocess.run(
        [*launch, str(ROOT / 'tools' / tool), *args], env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def test_a_killed_run_resumes_to_the_weights_of_an_uninterrupted_one(tiny_config, tmp_path):
    whole = train(tiny_config, tmp_path / 'whole')
    with pytest.raises(Killed):
        train(tiny_config, tmp_path / 'cut', stop_after=4)
    resumed = train(tiny_config, tmp_path / 'cut', resume=True)
    assert resumed.iter == whole.iter == 6
    expected = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_two_runs_with_one_seed_give_the_same_weights(tiny_config, tmp_path):
    first = train(tiny_config, tmp_path / 'first').model.state_dict()
    second = train(tiny_config, tmp_path / 'second').model.state_dict()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_the_best_checkpoint_carries_its_calibration(tiny_config, tmp_path):
    train(tiny_config, tmp_path / 'run')
    best = next((tmp_path / 'run').glob('best_count_MAE*.pth'))
    state = torch.load(best, weights_only=False)['state_dict']
    assert bool(state['calibration.fitted'])
    runner = make_runner(tiny_config, tmp_path / 'test', load_from=str(best))
    metrics = runner.test()
    assert {'count/MAE', 'count/MAE_calibrated'} <= set(metrics)
    assert 'count/coverage' not in metrics  # too few validation images for an interval


def test_bfloat16_trains_on_a_cpu(tiny_config, tmp_path):
    runner = train(tiny_config, tmp_path / 'amp', **{'optim_wrapper.type': 'mmcount.BFloat16OptimWrapper'})
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())
    assert next(runner.model.parameters()).dtype == torch.float32


def test_loading_weights_skips_the_initialisation_from_data(tiny_config, tmp_path):
    first = train(tiny_config, tmp_path / 'first')
    weights = next((tmp_path / 'first').glob('iter_6.pth'))
    seen = []
    runner = make_runner(tiny_config, tmp_path / 'next', load_from=str(weights))
    runner.model.init_from_data = seen.append
    runner.train()
    assert seen == []
    assert first.iter == 6


@pytest.mark.dist
def test_two_processes_give_the_metric_of_one(tiny_config, tmp_path):
    run_tool('train.py', str(tiny_config), '--work-dir', str(tmp_path / 'train'), '--launcher', 'pytorch', processes=2)
    checkpoint = str(tmp_path / 'train' / 'iter_6.pth')
    tables = []
    for processes in (1, 2):
        csv = tmp_path / f'{processes}.csv'
        launcher = ['--launcher', 'pytorch'] if processes > 1 else []
        work_dir = str(tmp_path / f'test{processes}')
        run_tool(
            'test.py',
            str(tiny_config),
            checkpoint,
            '--work-dir',
            work_dir,
            '--csv',
            str(csv),
            *launcher,
            processes=processes,
        )
        tables.append(csv.read_text())
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) == 6
