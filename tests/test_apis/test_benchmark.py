"""The benchmark of counters against detectors, on two tiny models and configs that fail."""

import csv
import importlib.util
import json
import logging
import math
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmengine.runner.checkpoint import save_checkpoint

from mmcount.apis import benchmark, benchmark_profile
from mmcount.apis.benchmark import BenchmarkOptions, Contender, benchmark_counters, complete_evaluators
from mmcount.apis.benchmark_table import csv_table, markdown_table, write_tables
from mmcount.engine.hooks import ThroughputHook
from mmcount.registry import HOOKS
from mmcount.utils import register_all_modules
from mmcount.visualization.benchmark_plot import plot_comparison

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'benchmark_counters.py'

COMMON = """
default_scope = 'mmcount'
scene = dict(canvas=(32, 32), layout='single', merge_classes=True, num_objects=(1, 4), part_size=8, background='black')
test_cfg = dict(type='TestLoop')
visualizer = dict(type='mmcount.CountVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer')
env_cfg = dict(mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
randomness = dict(seed=0)


def loader(subset, pipeline, **options):
    data = dict(type='mmcount.MNISTLego', subset=subset, num_samples=5, scene=scene, pipeline=pipeline, **options)
    return dict(batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=data)


"""

COUNTER = (
    COMMON
    + """
codec = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=2)
train_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.HaloCrop', codec=codec, size=24, extend=8),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
test_pipeline = [
    dict(type='mmdet.LoadImageFromNDArray'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    backbone=dict(type='mmcount.CountCeption', window_size=8, stride=2, norm_eval=True),
    head=dict(type='mmcount.RedundantCountHead', codec=codec, norm_cfg=None, act_cfg=None),
)
train_dataloader = loader('train', train_pipeline)
test_dataloader = loader('test', test_pipeline, test_mode=True)
test_evaluator = dict(type='mmcount.CountMetric')
train_cfg = dict(type='IterBasedTrainLoop', max_iters=2)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1))
log_processor = dict(by_epoch=False)
"""
)

DETECTOR = (
    COMMON
    + """
pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
model = dict(
    type='mmdet.RetinaNet',
    data_preprocessor=dict(type='mmdet.DetDataPreprocessor', mean=[0, 0, 0], std=[255, 255, 255], pad_size_divisor=32),
    backbone=dict(type='mmdet.ResNet', depth=18, base_channels=4, stem_channels=4, out_indices=(3,), init_cfg=None),
    neck=dict(type='mmdet.ChannelMapper', in_channels=[32], out_channels=8),
    bbox_head=dict(
        type='mmdet.RetinaHead', num_classes=1, in_channels=8, feat_channels=8, stacked_convs=1,
        anchor_generator=dict(type='mmdet.AnchorGenerator', scales=[1], ratios=[0.5, 1.0], strides=[32]),
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='mmdet.L1Loss'),
    ),
    test_cfg=dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=1.0), max_per_img=5),
)
test_dataloader = loader('test', pipeline, test_mode=True)
test_evaluator = dict(type='mmcount.LocountMetric')
"""
)


@pytest.fixture
def configs(tmp_path):
    """A counter to train, and a detector with its checkpoint; only what is written as a config can be loaded."""
    torch.manual_seed(0)
    register_all_modules(init_default_scope=False)
    texts = {'counter': COUNTER, 'detector': DETECTOR, 'broken': COUNTER.replace('mmcount.DenseCounter', 'Nothing')}
    paths = {}
    for name, text in texts.items():
        paths[name] = tmp_path / f'{name}.py'
        paths[name].write_text(text)
        cfg = Config.fromfile(paths[name])
        cfg.pop('loader')
        cfg.dump(str(paths[name]))
    weights = tmp_path / 'detector.pth'
    save_checkpoint({'state_dict': MODELS.build(Config.fromfile(paths['detector']).model).state_dict()}, str(weights))
    return paths, weights


def load_tool():
    spec = importlib.util.spec_from_file_location('benchmark_counters', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_csv(path):
    with path.open(newline='') as stream:
        return {row['model']: row for row in csv.DictReader(stream)}


def test_two_models_of_different_kinds_and_one_that_fails(configs, tmp_path, capsys, monkeypatch):
    paths, weights = configs
    out = tmp_path / 'out'
    arguments = [f'counts={paths["counter"]}', f'{paths["broken"]}', f'boxes={paths["detector"]}@{weights}']
    arguments += ['--out-dir', str(out), '--train', '--same-process', '--columns', 'count/RMSE', 'locount/AP_lc_IN']
    monkeypatch.setattr(sys, 'argv', ['benchmark_counters', *arguments])
    assert load_tool().main() == 1
    printed = capsys.readouterr().out
    assert printed.endswith((out / 'table.md').read_text())
    rows = read_csv(out / 'table.csv')
    assert list(rows) == ['counts', 'broken', 'boxes']
    counts, boxes = rows['counts'], rows['boxes']
    assert (counts['AP'], counts['AP_lc'], counts['locount/AP_lc_IN']) == ('', '', '')
    assert float(counts['MAE']) <= float(counts['count/RMSE'])
    assert 0 <= float(boxes['AP_lc']) <= float(boxes['AP']) <= 1
    assert float(boxes['MAE']) >= 0
    for row in (counts, boxes):
        assert int(row['params']) > 0
        assert int(row['flops']) > 0
        assert float(row['images_per_s']) > 0
        assert row['images'] == '5'
    assert counts['checkpoint'].endswith('iter_2.pth')
    assert 'Nothing' in rows['broken']['error']
    assert 'Traceback' in (out / 'broken' / 'error.txt').read_text()
    assert (out / 'table.png').read_bytes()[:4] == b'\x89PNG'
    model = MODELS.build(Config.fromfile(paths['detector']).model)
    assert int(boxes['params']) == sum(one.numel() for one in model.parameters())

    monkeypatch.setattr('mmcount.visualization.benchmark_plot.plot_comparison', lambda *_: True)
    # Again: what is done is kept, what failed is tried again.
    tried = []
    measure = benchmark._measure
    monkeypatch.setattr(benchmark, '_measure', lambda one, options: (tried.append(one.name), measure(one, options))[1])
    assert load_tool().main() == 1
    assert tried == ['broken']
    assert read_csv(out / 'table.csv') == rows
    # Another checkpoint is another row.
    tried.clear()
    weights.touch()
    load_tool().main()
    assert tried == ['broken', 'boxes']


def test_the_death_of_a_process_is_that_of_one_row(configs, tmp_path, monkeypatch):
    paths, weights = configs
    run = benchmark.subprocess.run

    def run_or_die(command, **options):
        if pickle.loads(options['input'])[0].name == 'dying':
            command = [sys.executable, '-c', 'import os; os._exit(7)']
        return run(command, **options)

    monkeypatch.setattr(benchmark.subprocess, 'run', run_or_die)
    contenders = [Contender(name, str(paths['detector']), str(weights)) for name in ('dying', 'living')]
    rows = benchmark_counters(contenders, BenchmarkOptions(str(tmp_path / 'out'), columns=('locount/AP_50',)))
    assert rows[0]['error'] == 'the process ended with status 7'
    assert rows[1]['metrics']['locount/AP'] >= 0
    assert json.loads((tmp_path / 'out' / 'living' / 'row.json').read_text()) == rows[1]
    assert 'failed: the process ended with status 7' in (tmp_path / 'out' / 'table.md').read_text()


def test_overrides_reach_a_process_as_they_are(tmp_path, monkeypatch):
    given = []

    def note(command, input, check):
        given.append(pickle.loads(input))
        return SimpleNamespace(returncode=9)

    monkeypatch.setattr(benchmark.subprocess, 'run', note)
    task = Contender('a', 'a.py'), BenchmarkOptions(str(tmp_path), cfg_options={'scale': (4, 5), 'x.y': [1]})
    assert benchmark._in_a_process(*task)['error'] == 'the process ended with status 9'
    assert given == [task]


def test_a_config_that_cannot_be_read_is_the_failure_of_its_row(configs, tmp_path):
    _, weights = configs
    (tmp_path / 'bad.py').write_text('model = (')
    options = BenchmarkOptions(str(tmp_path / 'out'))
    for _ in range(2):
        (row,) = benchmark_counters([Contender('bad', str(tmp_path / 'bad.py'), str(weights))], options, isolate=False)
        assert row['error']


def test_flops_of_a_network_that_cannot_be_traced(configs, monkeypatch):
    paths, weights = configs
    cfg = Config.fromfile(paths['detector'])
    traced = benchmark_profile.profile_model(cfg, str(weights))
    assert traced['boxes']

    def refuse(*args, **kwargs):
        raise TypeError('cannot trace')

    monkeypatch.setattr(benchmark_profile, 'get_model_complexity_info', refuse)
    counted = benchmark_profile.profile_model(cfg, str(weights))
    assert counted['flops'] == pytest.approx(traced['flops'], rel=0.1)
    monkeypatch.setattr(benchmark_profile, 'FlopCounterMode', refuse)
    assert benchmark_profile.profile_model(cfg, str(weights)) == {**traced, 'flops': None}


def test_arguments_are_checked_before_anything_runs(configs, tmp_path):
    paths, weights = configs
    counter = str(paths['counter'])
    options = BenchmarkOptions(str(tmp_path / 'out'))
    for contenders, message in (
        ([], 'no config to run'),
        ([Contender('a', counter, str(weights))] * 2, "two rows are called 'a'"),
        ([Contender('a', counter)], 'a has no checkpoint'),
    ):
        with pytest.raises(ValueError, match=message):
            benchmark_counters(contenders, options)
    with pytest.raises(FileNotFoundError, match=r'nowhere\.py'):
        benchmark_counters([Contender('a', 'nowhere.py', str(weights))], options)
    for text in ('', 'a=', '=b.py', '../a=b.py', '@c.pth'):
        with pytest.raises(ValueError, match=r'expected \[NAME=\]CONFIG\[@CHECKPOINT\]'):
            Contender.parse(text)
    assert Contender.parse('x/y.py') == Contender('y', 'x/y.py')
    assert not (tmp_path / 'out').exists()


def test_evaluators_that_are_there_stay_as_they_are():
    given = [dict(type='CountMetric', score_thr=0.5), dict(type='mmdet.CocoMetric')]
    assert complete_evaluators(given, boxes=False, counts=True) == given
    assert complete_evaluators(given, boxes=True, counts=False) == [*given, dict(type='mmcount.LocountMetric')]


def test_tables_leave_cells_without_numbers_empty(tmp_path):
    rows = [
        dict(name='a|b', metrics={'locount/AP': 0.5, 'locount/AP_lc': 0.25, 'count/MAE': 123.456}, params=1_500_000,
             flops=2 * 10**9, images_per_s=3.25, images=7),
        dict(name='c', metrics={'coco/bbox_mAP': 0.125}, params=10, flops=None, images_per_s=None),
        dict(name='d', error='out of memory'),
    ]  # fmt: skip
    lines = markdown_table(rows, ('locount/AP',)).splitlines()
    assert lines[2] == '| a\\|b | 50.0 | 25.0 | 123.5 | 0.5 | 1.50 | 2 | 3.25 |'
    assert lines[3] == '| c | 12.5 | | | | 0.00 | | |'
    assert lines[4] == '| d (failed: out of memory) | | | | | | | |'
    table = list(csv.reader(csv_table(rows).splitlines()))
    assert table[1] == ['a|b', '0.5', '0.25', '123.456', '1500000', '2000000000', '3.25', '7', '', '']
    assert table[3][-1] == 'out of memory'
    write_tables(rows, tmp_path / 'new')
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['table.csv', 'table.md', 'table.png']


def test_without_matplotlib_there_is_no_figure(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmcount.visualization.benchmark_plot', None)
    write_tables([dict(name='a', metrics={'count/MAE': 1.0})], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['table.csv', 'table.md']


def test_a_figure_needs_a_number(tmp_path):
    assert not plot_comparison(['a'], {'MAE': {'MAE': [math.nan]}}, tmp_path / 'x.png')
    assert not (tmp_path / 'x.png').exists()
    assert plot_comparison(
        ['a', 'b'], {'MAE': {'MAE': [math.nan, 2]}, 'AP': {'AP': [1, 2], 'AP_lc': [0, 1]}}, tmp_path / 'x.png'
    )


class Model:
    """Takes the given seconds for each batch of two."""

    def __init__(self, seconds):
        self.now, self.seconds = 0.0, iter(seconds)

    def test_step(self, data):
        self.now += next(self.seconds)
        return [0, 0]


@pytest.mark.parametrize(
    ('warmup', 'seconds', 'expected'), [(1, [9, 1, 3], 1.0), (5, [4], 0.5), (3, [9, 9, 9, 1], 2.0), (5, [9, 1], 2.0)]
)
def test_throughput_leaves_out_the_first_batches(monkeypatch, warmup, seconds, expected):
    model = Model(seconds)
    monkeypatch.setattr('mmcount.engine.hooks.throughput_hook._now', lambda: model.now)
    runner = SimpleNamespace(model=model, logger=logging.getLogger('test'))
    hook = HOOKS.build(dict(type='ThroughputHook', warmup=warmup))
    hook.before_test_epoch(runner)
    for _ in seconds:
        assert model.test_step({}) == [0, 0]
        model.now += 100  # metrics, and waiting for data
    hook.after_test_epoch(runner)
    assert hook.images_per_s == pytest.approx(expected)
    assert 'test_step' not in vars(model)


def test_a_warmup_is_not_negative():
    with pytest.raises(ValueError, match='warmup must not be negative, got -1'):
        ThroughputHook(warmup=-1)
