import runpy
import sys

import pytest

from tests.builders import ROOT

CONFIG = str(ROOT / 'configs' / 'your_data' / 'count-ception_cpu-30min_points-csv.py')


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool with arguments; what it prints."""

    def call(*args):
        monkeypatch.setattr(sys, 'argv', ['print_config.py', *args])
        runpy.run_path(str(ROOT / 'tools' / 'misc' / 'print_config.py'), run_name='__main__')
        return capsys.readouterr().out

    return call


def test_a_config_is_printed_as_it_runs(run, tmp_path):
    text = run(CONFIG, '--cfg-options', 'max_iters=300', 'classes=live,dead')
    path = tmp_path / 'printed.py'
    path.write_text(text)
    printed = runpy.run_path(str(path))
    assert printed['train_cfg'] == dict(type='IterBasedTrainLoop', max_iters=300, val_interval=150)
    assert printed['model']['head']['codec']['num_classes'] == 2


def test_one_key_and_the_files_are_printed(run, capsys):
    assert run(CONFIG, '--key', 'train_dataloader.dataset.pipeline.0').strip() == "{'type': 'mmcount.LoadImage'}"
    files = run(CONFIG, '--files').split()
    assert files[0] == CONFIG
    assert len(files) == 5
    with pytest.raises(SystemExit):
        run(CONFIG, '--key', 'train_cfg.nothing')
    assert 'nothing under --key train_cfg.nothing' in capsys.readouterr().err
