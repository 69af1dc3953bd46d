import csv
import json
from pathlib import Path

import pytest
import torch

from tests.tiny_models import TRAINING

QUICKSTART = 'count-ception_quickstart_mnist-lego'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Config, and work dir of a training by the command."""
    from typer.testing import CliRunner

    from mmcount.cli.main import app

    folder = tmp_path_factory.mktemp('train')
    config = folder / 'tiny.py'
    config.write_text(TRAINING)
    arguments = ['train', str(config), 'train_cfg.max_iters=3', '--work-dir', str(folder / 'run')]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return config, folder / 'run'


def metrics_of(folder):
    return json.loads(next(folder.glob('*/*.json')).read_text())


def test_overrides_reach_the_training(trained):
    assert (trained[1] / 'iter_3.pth').is_file()
    assert not (trained[1] / 'iter_6.pth').exists()


def test_a_test_writes_its_table_and_precisions_agree(run, trained, tmp_path):
    config, work = trained
    found = {}
    for precision in (None, 'fp32', 'bf16'):
        folder = tmp_path / str(precision)
        options = [] if precision is None else ['--precision', precision]
        table = folder / 'counts.csv'
        result = run('test', config, work / 'iter_3.pth', '--work-dir', folder, '--csv', table, *options)
        assert result.exit_code == 0, result.output
        found[precision] = metrics_of(folder)['count/MAE']
        with open(table, newline='') as stream:
            assert len(list(csv.DictReader(stream))) == 5
    assert found['fp32'] == pytest.approx(found[None], rel=1e-4)
    run(
        'test',
        config,
        work / 'iter_3.pth',
        'test_cfg.fp16=True',
        '--work-dir',
        tmp_path / 'auto',
        '--precision',
        'fp32',
    )
    assert metrics_of(tmp_path / 'auto')['count/MAE'] == found['fp32']
    assert found['bf16'] != found[None]
    assert found['bf16'] == pytest.approx(found[None], rel=0.2)


def test_a_checkpoint_with_code_is_refused_unless_trusted(run, trained, tmp_path):
    config, work = trained
    content = torch.load(work / 'iter_3.pth', weights_only=False)
    torch.save(dict(content, extra=Path('code')), tmp_path / 'odd.pth')
    result = run('test', config, tmp_path / 'odd.pth', '--work-dir', tmp_path / 'a')
    assert result.exit_code == 2
    assert 'holds pickled objects (pathlib' in result.stderr
    result = run('test', config, tmp_path / 'odd.pth', '--work-dir', tmp_path / 'b', '--trust-checkpoint')
    assert result.exit_code == 0, result.output


def test_a_test_with_weights_that_do_not_fit_gives_2(run, trained, tmp_path):
    config, work = trained
    content = torch.load(work / 'iter_3.pth', weights_only=False)
    first = next(iter(content['state_dict']))
    del content['state_dict'][first]
    torch.save(content, tmp_path / 'less.pth')
    result = run('test', config, tmp_path / 'less.pth', '--work-dir', tmp_path / 'a')
    assert result.exit_code == 2, result.output
    assert 'less.pth does not fit the DenseCounter of the config: 1 of its tensors are missing' in result.stderr
    assert f'the first is {first!r}' in result.stderr


def test_a_checkpoint_of_a_run_is_counted_with(run, trained, tmp_path):
    from mmcount.apis import CountInferencer

    inferencer = CountInferencer(trained[1] / 'iter_3.pth', device='cpu')
    assert inferencer.source.cfg.train_cfg.max_iters == 3


@pytest.mark.parametrize('option', ['--csv', '--show-dir', '--work-dir', '--out'])
def test_outputs_that_cannot_be_written_are_told_before_the_weights_are_read(run, trained, tmp_path, option):
    blocked = tmp_path / 'file'
    blocked.touch()
    arguments = ['test', trained[0], 'gone.pth', '--work-dir', tmp_path / 'run', option, blocked / 'below.pkl']
    result = run(*arguments)
    assert result.exit_code == 2
    assert f'cannot write to {blocked / "below.pkl"}' in result.stderr
    if option == '--work-dir':
        result = run('train', trained[0], option, blocked / 'below')
        assert (result.exit_code, 'cannot write to' in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['train', 'no-config'], "'no-config' is no file and no name"),
        (
            ['train', 'count-ception_quickstart_mnist-lego', 'max_iters'],
            "expected key=value after the config, got 'max_",
        ),
        (
            ['test', 'count-ception_quickstart_mnist-lego', 'gone.pth', '--work-dir', 'WORK'],
            'weights not found: gone.pth',
        ),
    ],
)
def test_wrong_use_gives_2(run, tmp_path, arguments, message):
    result = run(*(str(tmp_path) if one == 'WORK' else one for one in arguments))
    assert result.exit_code == 2, result.output
    assert message in result.stderr
