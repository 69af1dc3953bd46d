"""Every config is short to read, says what it is, follows its budget, builds, trains a step and predicts.

Nothing here names a config: a new one is found by itself.
"""

import copy
import functools
import importlib.util
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope

from mmcount.datasets import CountDataset
from mmcount.engine.config import check_redefinitions, config_files, read_config
from mmcount.models.counters import DenseCounter
from mmcount.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS, VISUALIZERS
from mmcount.utils import register_all_modules

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'configs'
LEAVES = [path for path in sorted(FOLDER.glob('[!_]*/*.py')) if not path.is_symlink()]
SIDE = 8
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@functools.cache
def read(path):
    register_all_modules()
    init_default_scope('mmcount')
    return Config.fromfile(path)


def load(path):
    """A fresh copy of a config."""
    return copy.deepcopy(read(path))


def as_list(node):
    return node if isinstance(node, list) else [node]


def of_every_kind(key):
    """One config for each value of ``key(cfg)``."""
    found = {}
    for path in LEAVES:
        found.setdefault(json.dumps(key(read(path)), sort_keys=True, default=str), path)
    return [pytest.param(path, id=path.stem) for path in found.values()]


def without_weights(config):
    """A config of a model without weights from elsewhere."""
    if isinstance(config, dict):
        return {key: None if key == 'init_cfg' else without_weights(value) for key, value in config.items()}
    return [without_weights(one) for one in config] if isinstance(config, list) else config


def model_of(cfg):
    """The counter inside of a segmentor, or the model itself."""
    return getattr(cfg.model, 'counter', cfg.model)


@functools.cache
def is_dense(path):
    """Whether a config trains a network that gives maps."""
    return issubclass(MODELS.get(model_of(read(path)).type) or object, DenseCounter)


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_a_config_is_read_in_five_files_and_three_levels(path):
    def depth(file):
        below = [one for one in config_files(file) if one != file]
        direct = [one for one in below if not any(one in config_files(other) for other in below if other != one)]
        return 1 + max((depth(one) for one in direct), default=0)

    files = config_files(path)
    assert len(files) <= 5, files
    assert depth(str(path)) <= 3
    # A config does not inherit from another one, but from bases.
    assert all('_base_' in file for file in files[1:])


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_what_a_config_sets_anew_reaches_every_use(path):
    check_redefinitions(path)


def test_the_bases_are_all_used():
    used = {file for path in LEAVES for file in config_files(path)}
    assert sorted(str(path) for path in (FOLDER / '_base_').rglob('*.py') if str(path) not in used) == []


def test_names_follow_the_convention():
    for path in LEAVES:
        assert path.stem == path.stem.lower()
        assert len(path.stem.split('_')) in (3, 4, 5), path.stem
    stems = [path.stem for path in LEAVES]
    assert len(set(stems)) == len(stems)


def script():
    spec = importlib.util.spec_from_file_location('update_model_index', ROOT / 'tools/misc/update_model_index.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_config_says_its_command_hardware_time_and_figures():
    module = script()
    for path in LEAVES:
        leaf = module.read_leaf(path)
        assert path.relative_to(ROOT).as_posix() in leaf.fields['Command'] or 'quickstart.sh' in leaf.fields['Command']


def test_metafiles_model_index_and_tables_are_up_to_date():
    stale = [path for path, text in script().generated(ROOT).items() if path.read_text(encoding='utf-8') != text]
    assert stale == [], 'run python tools/misc/update_model_index.py'


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_a_config_builds_its_parts_and_writes_scopes(path):
    cfg = load(path)
    hooks = [hook for hook in cfg.default_hooks.values() if hook['type'].startswith('mmcount.')]
    for hook in [*hooks, *cfg.custom_hooks]:
        assert built(HOOKS, hook) is not None
    prefixes = [built(METRICS, metric).prefix for metric in as_list(cfg.val_evaluator)]
    for metric in as_list(cfg.test_evaluator):
        assert built(METRICS, metric) is not None
    # What is fitted on validation images is reported, and nothing else.
    calibrates = 'mmcount.CountCalibrationHook' in [hook['type'] for hook in cfg.custom_hooks]
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        assert ('mmcount.CalibrationMetric' in [metric['type'] for metric in as_list(evaluator)]) == calibrates
    best = cfg.default_hooks.checkpoint.get('save_best')
    assert best is None or best.split('/')[0] in prefixes
    for name in LOADERS:
        check_options(cfg[name].dataset)
        dataset = inner(cfg[name].dataset)
        assert dataset.type.startswith(('mmcount.', 'mmdet.'))
        assert DATASETS.get(dataset.type) is not None
        for step in dataset.pipeline:
            assert step['type'].startswith(('mmcount.', 'mmdet.'))
            assert built(TRANSFORMS, step) is not None
    visualizer = dict(cfg.visualizer, name='visualizer-of-configs', vis_backends=None)
    assert VISUALIZERS.get(visualizer['type']) is not None


def check_options(dataset):
    """Whether a data set and what it wraps have all the options that a config gives them."""
    known = set()
    for one in DATASETS.get(dataset.type).__mro__:
        parameters = inspect.signature(one.__init__).parameters.values()
        known |= {parameter.name for parameter in parameters}
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
            break
    assert set(dataset) - {'type', '_scope_'} <= known, dataset.type
    if 'dataset' in dataset:
        check_options(dataset.dataset)


BUILT = {}


def built(registry, config):
    """What a registry makes of a config; the same config is built once."""
    config = config.to_dict() if hasattr(config, 'to_dict') else dict(config)
    key = json.dumps(config, sort_keys=True, default=str)
    if key not in BUILT:
        BUILT[key] = registry.build(copy.deepcopy(config))
    return BUILT[key]


def inner(dataset):
    """The reader inside of wrappers of data sets."""
    return inner(dataset.dataset) if 'dataset' in dataset else dataset


def run_length(cfg):
    return cfg.train_cfg.get('max_iters') or cfg.train_cfg.get('max_epochs')


def rates(cfg, steps_per_epoch):
    """Learning rate of each step of a run, as MMEngine's runner builds its schedulers."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    by_epoch = 'max_epochs' in cfg.train_cfg
    schedulers = []
    for scheduler in copy.deepcopy(cfg.get('param_scheduler') or []):
        per_epoch = scheduler.get('by_epoch', True)
        end = run_length(cfg) if per_epoch or not by_epoch else run_length(cfg) * steps_per_epoch
        scheduler.setdefault('end', end)
        schedulers.append(
            PARAM_SCHEDULERS.build(
                dict(scheduler), default_args=dict(optimizer=optimizer, epoch_length=steps_per_epoch)
            )
        )
    values = []
    for step in range(run_length(cfg) * (steps_per_epoch if by_epoch else 1)):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (step + 1) % steps_per_epoch == 0:
                scheduler.step()
    return [*values, optimizer.param_groups[0]['lr']]


@pytest.mark.parametrize('path', of_every_kind(lambda cfg: [cfg.train_cfg, cfg.get('param_scheduler')]))
def test_a_shorter_run_anneals_its_rate_and_validates_in_proportion(path):
    cfg = load(path)
    if run_length(cfg) is None:  # fitted, not descended
        return
    name = 'max_iters' if 'max_iters' in cfg.train_cfg else 'max_epochs'
    budget = 300
    short = read_config(path, {name: str(budget)})
    assert short.train_cfg[name] == budget
    interval = max(1, cfg.train_cfg.val_interval * budget // run_length(cfg))
    assert short.train_cfg.val_interval in (interval, cfg.train_cfg.val_interval)
    # However short a run is, it is validated and saved.
    for one in (short, read_config(path, {name: '1'})):
        length = run_length(one)
        assert one.train_cfg.val_interval <= length or cfg.train_cfg.val_interval > run_length(cfg)
        assert one.train_cfg.get('val_begin', 1) <= length
        assert one.default_hooks.checkpoint.interval <= length
    schedule = rates(short, steps_per_epoch=4)
    types = [scheduler['type'] for scheduler in short.get('param_scheduler') or []]
    if not types:
        assert set(schedule) == {1.0}
    elif types[-1] == 'MultiStepLR':
        steps = list(short.param_scheduler[-1].milestones)
        whole = load(path)
        expected = [milestone * budget / run_length(whole) for milestone in whole.param_scheduler[-1].milestones]
        assert steps == pytest.approx(expected, abs=1)
        assert schedule[-1] < max(schedule) / 2
    else:
        # The last step is one step away from zero.
        assert schedule[-1] < 0.02
        assert max(schedule) > 0.9


@pytest.mark.parametrize('path', of_every_kind(lambda cfg: [cfg[name].num_workers for name in LOADERS]))
def test_no_workers_need_no_second_option(path):
    cfg = read_config(path, {'num_workers': '0'})
    for name in LOADERS:
        assert cfg[name].num_workers == 0
        assert not cfg[name].get('persistent_workers')


def small_dataset(pipeline, num_classes):
    """Images of dots in memory, read by the pipeline of a config."""
    rng = np.random.default_rng(0)
    infos = []
    for index, number in enumerate((3, 0)):
        points = rng.integers(0, 2 * SIDE, (number, 2)).astype(np.float32)
        img = rng.integers(0, 255, (2 * SIDE, 2 * SIDE, 3), dtype=np.uint8)
        boxes = np.concatenate([points - 1, points + 2], axis=1)
        labels = np.zeros(number, dtype=np.int64)
        masks = [np.ones(img.shape[:2], dtype=np.uint8)] * number
        infos.append(dict(img=img, img_id=str(index), points=points, bboxes=boxes, labels=labels, masks=masks))
    pipeline = [copy.deepcopy(step) for step in pipeline]
    for step in pipeline:
        if step['type'] == 'mmcount.LoadImage':
            step['type'] = 'mmdet.LoadImageFromNDArray'
        if step['type'] == 'mmcount.HaloCrop':
            step['size'] = SIDE
        if step['type'] in ('mmcount.RandomScaleToMultiple', 'mmcount.ResizeToMinimum'):
            step['min_size'] = (4 * SIDE, 4 * SIDE)
        if step['type'] == 'mmdet.Resize' and 'scale' in step:
            step['scale'] = (8 * SIDE, 8 * SIDE)
        if step['type'] == 'mmcount.ResizeToSideRange':
            step.update(short=(None, None), long=(4 * SIDE, 8 * SIDE))
        if step['type'] == 'mmcount.LoadMaskProposals':
            step['source'] = dict(type='mmcount.HierarchicalProposals')
    classes = tuple(f'class-{index}' for index in range(num_classes))
    return CountDataset(data_list=infos, metainfo=dict(classes=classes), pipeline=pipeline)


def batch_of(cfg, loader, num_classes):
    """Two images of the pipeline of a config."""
    dataset = small_dataset(inner(cfg[loader].dataset).pipeline, num_classes)
    return pseudo_collate([dataset[0], dataset[1]])


def kind_of_network(cfg):
    """What distinguishes networks and pipelines: types and channels, not numbers of a data set."""
    model = model_of(cfg)
    pipeline = [
        [step['type'], step.get('codec', {}).get('type')] for step in inner(cfg.train_dataloader.dataset).pipeline
    ]
    head = {key: value for key, value in model.get('head', {}).items() if key not in ('loss_weights', 'codec')}
    codec = model.get('head', {}).get('codec', {})
    return [
        cfg.model.type,
        model.get('backbone'),
        model.get('neck'),
        head,
        codec.get('type'),
        codec.get('stride'),
        pipeline,
    ]


@pytest.mark.parametrize('path', [param for param in of_every_kind(kind_of_network) if is_dense(param.values[0])])
def test_a_config_trains_one_step_and_predicts(path):
    torch.manual_seed(0)
    cfg = load(path)
    model = MODELS.build(without_weights(cfg.model.to_dict())).train()
    num_classes = getattr(model, 'counter', model).head.num_classes
    train = small_dataset(inner(cfg.train_dataloader.dataset).pipeline, num_classes)
    batch = pseudo_collate([train[0], train[1]])
    if any(hook['type'] == 'mmcount.DataInitHook' for hook in cfg.custom_hooks):
        model.init_from_data([copy.deepcopy(batch)])
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert any(p.grad is not None and bool((p.grad != 0).any()) for p in model.parameters())

    test = small_dataset(inner(cfg.test_dataloader.dataset).pipeline, num_classes)
    with torch.no_grad():
        samples = model.eval().test_step(pseudo_collate([test[0]]))
    assert samples[0].pred_counts.shape == (num_classes,)
    assert samples[0].gt_counts.tolist() == [3] + [0] * (num_classes - 1)
    assert torch.isfinite(samples[0].pred_counts).all()


def check_codecs(cfg):
    """Whether network, head and targets agree."""
    codec = model_of(cfg).head.codec
    for step in inner(cfg.train_dataloader.dataset).pipeline:
        assert step.get('codec', codec) == codec, step['type']
    if cfg.model.backbone.type == 'mmcount.CountCeption':
        assert cfg.model.backbone.get('stride', 1) == codec.get('stride', 1)
        assert codec.get('window_size', cfg.model.backbone.window_size) == cfg.model.backbone.window_size


def has_codec(path):
    return is_dense(path) and 'codec' in model_of(read(path)).head


@pytest.mark.parametrize('path', [path for path in LEAVES if has_codec(path)], ids=lambda path: path.stem)
def test_training_and_model_speak_one_codec(path):
    check_codecs(load(path))


@pytest.mark.parametrize('path', [param for param in of_every_kind(kind_of_network) if has_codec(param.values[0])])
def test_an_overridden_codec_reaches_network_head_and_targets(path):
    stride = 8 if model_of(read(path)).head.codec.get('stride') != 8 else 16
    cfg = read_config(path, {'codec.stride': str(stride)})
    check_codecs(cfg)
    assert model_of(cfg).head.codec.stride == stride


def is_fitted(path):
    """Whether a config fits a counter to the outputs of a network instead of training it."""
    return read(path).train_cfg.type == 'mmcount.FitLoop'


def is_classifier(path):
    return read(path).model.type == 'mmcount.ImageClassifier'


@pytest.mark.parametrize(
    'path', [path for path in LEAVES if is_fitted(path) and 'vgg' in path.stem], ids=lambda path: path.stem
)
def test_point_and_count_with_vgg_sees_what_the_paper_says(path):
    cfg = load(path)
    with torch.device('meta'):
        counter = MODELS.build(without_weights(cfg.model.to_dict()))
        outputs = {name: output[0] for name, output in counter.look(torch.empty(1, 3, 224, 224))[1].items()}
    if hasattr(counter, 'blocks'):
        lengths = [outputs[block['layer']].numel() for block in counter.blocks]
        assert lengths == [512 * 7 * 7, 4096, 4096]
    pointer = getattr(counter, 'pointer', counter)
    if hasattr(pointer, 'maps'):
        assert list(pointer.maps.values()) == [20, 50]
        assert all(outputs[name].shape == (512, 14, 14) for name in pointer.maps)
    else:
        assert outputs[counter.heat_layer].shape == (512, 14, 14)
    assert inner(cfg.train_dataloader.dataset).pipeline[1]['scale'] == (224, 224)


@pytest.mark.parametrize(
    'path', [path for path in LEAVES if is_fitted(path) and 'vgg' not in path.stem], ids=lambda path: path.stem
)
def test_point_and_count_on_lego_fits_and_predicts(path):
    torch.manual_seed(0)
    cfg = load(path)
    (checkpoint,) = {cfg.model.classifier.init_cfg.checkpoint}
    assert Path(checkpoint).parent.name in {path.stem for path in LEAVES}
    counter = MODELS.build(without_weights(cfg.model.to_dict())).eval()
    for stage in counter.passes:
        data = counter.data_preprocessor(batch_of(cfg, 'train_dataloader', 1), False)
        counter.fit(counter.observe(data['inputs'], data['data_samples'], stage), stage)
    with torch.no_grad():
        samples = counter.test_step(batch_of(cfg, 'test_dataloader', 1))
    for sample in samples:
        assert sample.pred_counts.shape == (1,)
        assert len(sample.pred_instances) <= int(sample.pred_counts)
    if hasattr(counter, 'svm'):
        assert [int(sample.pred_counts) for sample in samples] == [3, 0]


@pytest.mark.parametrize('path', [path for path in LEAVES if is_classifier(path)], ids=lambda path: path.stem)
def test_point_and_count_classifier_trains_one_step(path):
    torch.manual_seed(0)
    cfg = load(path)
    model = MODELS.build(cfg.model).train()
    data = model.data_preprocessor(batch_of(cfg, 'train_dataloader', 100), True)
    total, _ = model.parse_losses(model(**data, mode='loss'))
    total.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    with torch.no_grad():
        samples = model.eval().test_step(batch_of(cfg, 'test_dataloader', 100))
    assert all(sample.pred_scores.shape == (100,) for sample in samples)
