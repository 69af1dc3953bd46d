"""The stage of a loss follows the clock of the runner, also after a resume."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmcount.engine.hooks import TrainingStageHook
from mmcount.utils import register_all_modules

CONFIG = """
default_scope = 'mmcount'
scene = dict(canvas=(32, 32), layout='single', num_objects=(0, 3), part_size=8, background='black')
pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    backbone=dict(
        type='mmdet.ResNet', depth=18, base_channels=4, stem_channels=4, num_stages=2, strides=(1, 2),
        dilations=(1, 1), out_indices=(1,), norm_eval=False,
    ),
    head=dict(type='mmcount.LowerCountHead', num_classes=10, in_channels=8),
)
train_dataloader = dict(
    batch_size=4, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='mmcount.MNISTLego', subset='train', num_samples=8, scene=scene, pipeline=pipeline),
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=4)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
custom_hooks = [dict(type='mmcount.TrainingStageHook', milestones=(2,))]
randomness = dict(seed=0)
"""


def train(tmp_path, name, **options):
    """Train, and return the stage of every epoch that ran."""
    register_all_modules()
    path = tmp_path / 'config.py'
    path.write_text(CONFIG)
    cfg = Config.fromfile(path)
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'run'), name
    cfg.merge_from_dict(options)
    runner = Runner.from_cfg(cfg)
    stages = {}
    step = runner.model.train_step

    def train_step(*args, **kwargs):
        stages[runner.epoch] = runner.model.head.stage
        return step(*args, **kwargs)

    runner.model.train_step = train_step
    runner.train()
    return stages


def test_the_stage_is_that_of_the_epoch_also_after_a_resume(tmp_path):
    assert train(tmp_path, 'first', **{'train_cfg.max_epochs': 3}) == {0: 1, 1: 1, 2: 2}
    assert train(tmp_path, 'resumed', resume=True) == {3: 2}


def test_resuming_in_the_first_stage_stays_in_it(tmp_path):
    assert train(tmp_path, 'one', **{'train_cfg.max_epochs': 1}) == {0: 1}
    assert train(tmp_path, 'two', resume=True, **{'train_cfg.max_epochs': 3}) == {1: 1, 2: 2}


def test_iterations():
    hook = TrainingStageHook(milestones=(3, 5), by_epoch=False)
    head = SimpleNamespace(stage=2)
    runner = SimpleNamespace(model=SimpleNamespace(head=head), epoch=9, iter=0)
    hook.before_train_epoch(runner)
    assert head.stage == 2
    stages = []
    for runner.iter in range(7):
        hook.before_train_iter(runner, 0)
        stages.append(head.stage)
    assert stages == [1, 1, 1, 2, 2, 3, 3]


def test_a_head_without_stages_is_refused():
    model = nn.Module()
    model.head = nn.Linear(1, 1)
    with pytest.raises(ValueError, match='needs a head with a stage, Linear has none'):
        TrainingStageHook(milestones=(1,)).before_train(SimpleNamespace(model=model))


@pytest.mark.parametrize('milestones', [(), (3, 2), (2, 2), (-1,)])
def test_milestones_must_rise(milestones):
    with pytest.raises(ValueError, match='milestones must be one or more rising numbers'):
        TrainingStageHook(milestones=milestones)


def test_parallel_models_are_unwrapped():
    model = nn.Module()
    model.head = SimpleNamespace(stage=2)
    wrapped = torch.nn.DataParallel(model)
    TrainingStageHook(milestones=(1,)).before_train_epoch(SimpleNamespace(model=wrapped, epoch=0, iter=0))
    assert model.head.stage == 1
