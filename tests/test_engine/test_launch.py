"""What the command line makes of a config."""

import argparse

import pytest
from mmengine.config import Config

from mmcount.engine.launch import enable_mixed_precision, load_config, prepare_cpu_distributed, told_in_one_line
from mmcount.utils.errors import SettingError


@pytest.mark.parametrize(
    ('accelerator', 'expected'), [(True, 'AmpOptimWrapper'), (False, 'mmcount.BFloat16OptimWrapper')]
)
def test_amp_takes_what_the_device_can_do(accelerator, expected):
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam'))))
    enable_mixed_precision(cfg, has_accelerator=accelerator)
    assert cfg.optim_wrapper.type == expected


def test_amp_refuses_other_wrappers():
    cfg = Config(dict(optim_wrapper=dict(type='ApexOptimWrapper')))
    with pytest.raises(ValueError, match='ApexOptimWrapper'):
        enable_mixed_precision(cfg, has_accelerator=True)


def test_one_process_needs_no_group():
    cfg = Config(dict(launcher='none'))
    prepare_cpu_distributed(cfg)
    assert 'model_wrapper_cfg' not in cfg


def test_work_dir_is_named_after_the_config(tiny_config, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    args = argparse.Namespace(
        config=str(tiny_config), work_dir=None, cfg_options={'randomness.seed': 5}, launcher='none', local_rank=0
    )
    cfg = load_config(args)
    assert cfg.work_dir.endswith('tiny')
    assert cfg.randomness.seed == 5


def test_errors_of_the_user_are_one_line_and_others_keep_their_trace(capsys):
    with pytest.raises(SystemExit) as caught, told_in_one_line():
        raise SettingError('no such device')
    assert caught.value.code == 2
    assert capsys.readouterr().err == 'ERROR: no such device\n'
    with pytest.raises(ValueError, match='a fault'), told_in_one_line():
        raise ValueError('a fault of the program')
