"""What the command line makes of a config."""

import argparse

import pytest
from mmengine.config import Config

from mmcount.engine.launch import enable_mixed_precision, load_config, merge_options, prepare_cpu_distributed


def shared_config():
    split = dict(seed=0, num_train=32)
    return Config(
        dict(
            split=split,
            data_root='data/',
            train=dict(dataset=dict(split=dict(split), data_root='data/')),
            val=[dict(split=dict(split), data_root='elsewhere/')],
        )
    )


def test_an_overridden_variable_reaches_all_its_uses():
    cfg = shared_config()
    merge_options(cfg, {'split.seed': 3, 'data_root': 'mine/'})
    assert cfg.train.dataset.split == dict(seed=3, num_train=32)
    assert cfg.val[0].split.seed == 3
    assert cfg.train.dataset.data_root == 'mine/'


def test_a_value_that_the_config_set_apart_stays():
    cfg = shared_config()
    merge_options(cfg, {'data_root': 'mine/'})
    assert cfg.val[0].data_root == 'elsewhere/'


def test_plain_overrides_work_as_in_mmengine():
    cfg = shared_config()
    merge_options(cfg, {'train.dataset.data_root': 'x/'})
    assert cfg.train.dataset.data_root == 'x/'
    assert cfg.data_root == 'data/'


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
