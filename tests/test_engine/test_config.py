"""Overrides of text configs reach every use, and what cannot take effect is refused."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.engine.config import check_redefinitions, config_files, read_config
from mmcount.engine.hooks import ConfigCheckHook

BASE = """
data_root = 'data/'
classes = ('object',)
steps = 8
split = dict(seed=0, sizes=[3, 1])
unused = 1
common = dict(type='Folder', data_root=data_root, split=split)
train_dataloader = dict(num_workers=2, persistent_workers=True, dataset=dict(subset='train', classes=classes, **common))
val_dataloader = dict(num_workers=2, persistent_workers=True, prefetch_factor=4, dataset=dict(common, data_root='val/'))
train_cfg = dict(max_iters=steps, val_interval=steps // 2)
"""
LEAF = """
_base_ = ['./base.py']  # one base

model = dict(
    head=dict(num_classes=len(_base_.classes)),
)
"""


@pytest.fixture
def leaf(tmp_path: Path) -> Path:
    """A config with a base, which computes values of its variables."""
    (tmp_path / 'base.py').write_text(BASE)
    path = tmp_path / 'leaf.py'
    path.write_text(LEAF)
    return path


def test_no_override_changes_nothing(leaf):
    assert read_config(leaf).to_dict() == {
        **Config.fromfile(leaf).to_dict(),
    }


def test_a_variable_reaches_what_a_base_and_the_config_compute_from_it(leaf):
    cfg = read_config(leaf, {'steps': '100', 'classes': 'live,dead', 'split.seed': '3'})
    assert cfg.train_cfg == dict(max_iters=100, val_interval=50)
    assert cfg.train_dataloader.dataset.classes == ('live', 'dead')
    assert cfg.model.head.num_classes == 2
    assert cfg.train_dataloader.dataset.split == cfg.val_dataloader.dataset.split == dict(seed=3, sizes=[3, 1])
    assert cfg.filename == str(leaf)


def test_a_value_that_the_config_set_apart_stays(leaf):
    cfg = read_config(leaf, {'data_root': 'mine/'})
    assert cfg.train_dataloader.dataset.data_root == 'mine/'
    assert cfg.val_dataloader.dataset.data_root == 'val/'


def test_an_element_of_a_list_is_overridden(leaf):
    assert read_config(leaf, {'split.sizes.1': '5'}).train_dataloader.dataset.split.sizes == [3, 5]


def test_an_element_of_a_longer_list_than_that_of_the_base_is_overridden(leaf, tmp_path):
    (tmp_path / 'base.py').write_text('pipeline = [dict(size=1)]\ntrain_dataloader = dict(pipeline=pipeline)\n')
    leaf.write_text(
        "_base_ = './base.py'\npipeline = [dict(size=2), dict(size=3)]\ntrain_dataloader = dict(pipeline=pipeline)\n"
    )
    assert read_config(leaf, {'pipeline.1.size': '4'}).train_dataloader.pipeline == [dict(size=2), dict(size=4)]


def test_dicts_and_values_of_python_are_merged(leaf):
    cfg = read_config(leaf, {'split': {'seed': 4}, 'train_cfg.max_iters': 3})
    assert cfg.val_dataloader.dataset.split == dict(seed=4, sizes=[3, 1])
    assert cfg.train_cfg == dict(max_iters=3, val_interval=4)


def test_strings_arrive_as_given(leaf):
    for text in ('/data/my cells', '/data/a,b', '2024', '[x]'):
        cfg = read_config(leaf, {'data_root': text})
        assert cfg.train_dataloader.dataset.data_root == text
    assert read_config(leaf, {'data_root': "'/data/my cells'"}).data_root == '/data/my cells'


def test_names_and_checkpoints_are_strings_though_the_config_has_none(leaf):
    cfg = read_config(leaf, {'experiment_name': '2024', 'load_from': 'my runs/a,b.pth', 'work_dir': 'None'})
    assert (cfg.experiment_name, cfg.load_from, cfg.work_dir) == ('2024', 'my runs/a,b.pth', None)


def test_the_length_of_the_loop_is_the_variable_it_was_written_from(leaf, tmp_path):
    base = tmp_path / 'base.py'
    base.write_text(BASE.replace('steps', 'max_iters'))
    assert read_config(leaf, {'train_cfg.max_iters': '100'}).train_cfg == dict(max_iters=100, val_interval=50)
    base.write_text(BASE.replace('steps', 'max_iters') + 'train_cfg = dict(max_iters=6, val_interval=max_iters)\n')
    assert read_config(leaf, {'train_cfg.max_iters': '100'}).train_cfg == dict(max_iters=100, val_interval=8)


def test_a_name_that_the_config_does_not_have_is_refused(leaf):
    with pytest.raises(KeyError, match="no 'data_rot' to override; did you mean 'data_root'"):
        read_config(leaf, {'data_rot': 'x'})


def test_what_a_runner_reads_can_be_added(leaf):
    assert read_config(leaf, {'load_from': 'a.pth'}).load_from == 'a.pth'


def test_a_variable_without_a_use_is_refused(leaf):
    with pytest.raises(ValueError, match="nothing that runs uses the variable 'unused'"):
        read_config(leaf, {'unused': '2', 'steps': '4'})
    leaf.write_text(LEAF + 'seed = 3\n')
    with pytest.raises(ValueError, match=r'override train_dataloader.dataset.split.seed or val_dataloader'):
        read_config(leaf, {'seed': '2'})


def test_loaders_without_workers_drop_what_needs_workers(leaf):
    cfg = read_config(leaf, {'train_dataloader.num_workers': '0', 'val_dataloader.num_workers': '0'})
    assert 'persistent_workers' not in cfg.train_dataloader
    assert 'prefetch_factor' not in cfg.val_dataloader
    assert read_config(leaf).train_dataloader.persistent_workers


def test_a_variable_set_anew_in_a_config_must_reach_all_its_uses(leaf):
    leaf.write_text(LEAF + "data_root = 'mine/'\n")
    with pytest.raises(ValueError, match=r'leaf.py, line 7: .data_root. is set anew') as error:
        check_redefinitions(leaf)
    assert 'base.py has already used its own value in train_dataloader.dataset.data_root.' in str(error.value)
    leaf.write_text(LEAF + "data_root = 'mine/'\ntrain_dataloader = dict(dataset=dict(data_root=data_root))\n")
    check_redefinitions(leaf)
    assert read_config(leaf, {'data_root': 'x/'}).train_dataloader.dataset.data_root == 'x/'


def test_a_variable_set_anew_in_a_base_is_checked_too(leaf, tmp_path):
    (tmp_path / 'middle.py').write_text("_base_ = './base.py'\nsteps = 2\n")
    leaf.write_text(LEAF.replace('base.py', 'middle.py'))
    with pytest.raises(ValueError, match=r'middle.py, line 2'):
        read_config(leaf)


def test_runs_that_do_not_start_from_the_tools_are_checked_by_a_hook(leaf):
    leaf.write_text(LEAF + 'steps = 2\n')
    runner = Runner.__new__(Runner)
    runner.cfg = Config.fromfile(leaf)
    with pytest.raises(ValueError, match='steps'):
        ConfigCheckHook().before_run(runner)
    runner.cfg = Config(dict())
    ConfigCheckHook().before_run(runner)


def test_configs_that_are_no_text_take_overrides_as_in_mmengine(tmp_path):
    path = tmp_path / 'config.json'
    path.write_text('{"train_cfg": {"max_iters": 8}}')
    assert read_config(path, {'train_cfg.max_iters': '9'}).train_cfg.max_iters == 9


def test_files_of_a_config_are_listed_with_those_of_other_packages(leaf, tmp_path):
    leaf.write_text("_base_ = ['./base.py', 'mmdet::_base_/models/retinanet_r50_fpn.py']\n")
    names = [Path(file).name for file in config_files(leaf)]
    assert names == ['leaf.py', 'base.py', 'retinanet_r50_fpn.py']
    assert config_files(tmp_path / 'base.py') == [str(tmp_path / 'base.py')]


def test_configs_of_the_package_are_inherited_from_any_folder(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("_base_ = 'mmcount::your_data/count-ception_cpu-30min_points-csv.py'\n")
    try:
        Config.fromfile(path)
    except (FileNotFoundError, ModuleNotFoundError):
        pytest.skip('mmcount is importable here but not installed; run `pip install -e .`')
    cfg = read_config(path, {'max_iters': '300', 'classes': 'a,b'})
    assert cfg.train_cfg.max_iters == 300
    assert cfg.model.head.codec.num_classes == 2
