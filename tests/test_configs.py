"""Every config builds, takes a training step and predicts."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmcount.datasets import CountDataset
from mmcount.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS, VISUALIZERS
from mmcount.utils import register_all_modules

# Detectors are tested beside their models: their data are boxes, and their heads have no maps.
DETECTORS = ('clcnet', 'counting_detector')
FOLDER = Path(__file__).resolve().parents[1] / 'configs'
# What is fitted has no training step.
FITTED = sorted(path for path in (FOLDER / 'point_and_count').glob('*.py') if '_fit_' in path.stem)
CLASSIFIERS = sorted(set((FOLDER / 'point_and_count').glob('*.py')) - set(FITTED))
CONFIGS = [
    path for path in sorted(FOLDER.glob('[!_]*/*.py')) if path.parent.name not in (*DETECTORS, 'point_and_count')
]
SIDE = 8
BEST = ('count/MAE', 'count/mRMSE', 'loc/F1_l', 'loc/F1_sigma8', 'loc/F1_sigma1to100', 'size/log_area_MAE')


def load(path):
    register_all_modules()
    init_default_scope('mmcount')
    return Config.fromfile(path)


def small_dataset(pipeline, num_classes):
    """Images of dots in memory, read by the pipeline of the config."""
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
        if step['type'] == 'mmcount.LoadMaskProposals':
            step['source'] = dict(type='mmcount.HierarchicalProposals')
    classes = tuple(f'class-{index}' for index in range(num_classes))
    return CountDataset(data_list=infos, metainfo=dict(classes=classes), pipeline=pipeline)


def counter_of(model):
    """The counter inside of a segmentor, or the model itself."""
    return getattr(model, 'counter', model)


def shrink_iim_(model):
    """The large networks of IIM with few layers; other models stay as they are."""
    backbone = model.get('backbone', {})
    if backbone.get('type') == 'mmcount.VGG' and 'binarizer' in model.head:
        backbone.depth, model.neck[0].out_channels, channels = 11, 8, 24
    elif backbone.get('type') == 'mmcount.BilinearHRNet':
        for index in range(1, 5):
            backbone.extra[f'stage{index}'].update(num_modules=1, num_blocks=(1,) * index, num_channels=(8,) * index)
        channels = 32
    else:
        return
    model.head.in_channels = channels
    if 'in_channels' in model.head.binarizer:
        model.head.binarizer.in_channels = channels


def small_model(cfg):
    """The model of the config at its own window and stride, without weights from elsewhere."""
    backbone = counter_of(cfg.model).backbone
    if (backbone.get('init_cfg') or {}).get('type') == 'Pretrained':
        backbone.init_cfg = None
    shrink_iim_(counter_of(cfg.model))
    model = MODELS.build(cfg.model)
    model.init_weights()
    return model


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_trains_one_step_and_predicts(path):
    torch.manual_seed(0)
    cfg = load(path)
    model = small_model(cfg).train()
    num_classes = counter_of(model).head.num_classes
    train = small_dataset(reader_of(cfg.train_dataloader).pipeline, num_classes)
    batch = pseudo_collate([train[0], train[1]])
    if any(hook['type'] == 'mmcount.DataInitHook' for hook in cfg.custom_hooks):
        model.init_from_data([copy.deepcopy(batch)])
    data = model.data_preprocessor(batch, True)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert any(p.grad is not None and bool((p.grad != 0).any()) for p in model.parameters())

    test = small_dataset(cfg.test_dataloader.dataset.pipeline, num_classes)
    with torch.no_grad():
        samples = model.eval().test_step(pseudo_collate([test[0]]))
    assert samples[0].pred_counts.shape == (num_classes,)
    assert samples[0].gt_counts.tolist() == [3] + [0] * (num_classes - 1)
    assert torch.isfinite(samples[0].pred_counts).all()


def reader_of(loader):
    """The config of the data set inside of wrappers."""
    dataset = loader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return dataset


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_config_builds_its_runner_parts_and_writes_scopes(path):
    cfg = load(path)
    for hook in cfg.custom_hooks:
        assert HOOKS.build(copy.deepcopy(hook)) is not None
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
            assert METRICS.build(copy.deepcopy(metric)) is not None
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.type.startswith(('mmcount.', 'mmdet.'))
        for step in reader_of(loader).pipeline:
            assert step['type'].startswith(('mmcount.', 'mmdet.'))
            assert TRANSFORMS.build(copy.deepcopy(dict(step))) is not None
    visualizer = dict(cfg.visualizer, name=f'visualizer-{path.stem}', vis_backends=None)
    assert VISUALIZERS.build(visualizer) is not None
    assert cfg.default_hooks.checkpoint.save_best in BEST


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_training_and_model_speak_one_codec(path):
    cfg = load(path)
    codecs = [
        step['codec'] for step in reader_of(cfg.train_dataloader).pipeline if step['type'] == 'mmcount.GenerateTarget'
    ]
    if not codecs:
        # Heads without a target map learn from counts of whole images, known up to the same limit on both sides.
        assert 'codec' not in counter_of(cfg.model).head
        assert cfg.train_dataloader.dataset.limit == counter_of(cfg.model).head.get('limit', 4)
        return
    (pipeline_codec,) = codecs
    assert pipeline_codec == cfg.model.head.codec
    assert cfg.model.backbone.get('stride', 1) == pipeline_codec['stride']


def without_weights(config):
    """A config of a model without weights from elsewhere."""
    if isinstance(config, dict):
        return {key: None if key == 'init_cfg' else without_weights(value) for key, value in config.items()}
    return [without_weights(one) for one in config] if isinstance(config, list) else config


def batch_of(cfg, loader, num_classes):
    """Two images of the pipeline of a config."""
    dataset = small_dataset(reader_of(cfg[loader]).pipeline, num_classes)
    return pseudo_collate([dataset[0], dataset[1]])


@pytest.mark.parametrize('path', [*FITTED, *CLASSIFIERS], ids=lambda path: path.stem)
def test_point_and_count_config_builds_its_parts(path):
    cfg = load(path)
    hooks = [hook for hook in cfg.default_hooks.values() if hook['type'].startswith('mmcount.')]
    for hook in [*hooks, *cfg.custom_hooks]:
        assert HOOKS.build(copy.deepcopy(hook)) is not None
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
            assert METRICS.build(copy.deepcopy(metric)) is not None
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.type in ('mmcount.MNISTLego', 'mmcount.SOS', 'mmcount.MSO')
        for step in loader.dataset.pipeline:
            assert TRANSFORMS.build(copy.deepcopy(dict(step))) is not None
        if loader.dataset.type == 'mmcount.MNISTLego':
            small = DATASETS.build({**copy.deepcopy(loader.dataset), 'num_samples': 1})
            counts = small[0]['data_samples'].gt_counts
            assert counts.shape == ((1,) if path in FITTED else (100,))
    assert path in CLASSIFIERS or (
        cfg.train_cfg.type == 'mmcount.FitLoop' and cfg.train_dataloader.sampler.shuffle is False
    )


@pytest.mark.parametrize('path', [one for one in FITTED if 'vgg' in one.stem], ids=lambda path: path.stem)
def test_point_and_count_with_vgg_sees_what_the_paper_says(path):
    cfg = load(path)
    with torch.device('meta'):
        counter = MODELS.build(without_weights(cfg.model))
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
    assert cfg.train_dataloader.dataset.pipeline[1]['scale'] == (224, 224)


@pytest.mark.parametrize('path', [one for one in FITTED if 'vgg' not in one.stem], ids=lambda path: path.stem)
def test_point_and_count_on_lego_fits_and_predicts(path):
    torch.manual_seed(0)
    cfg = load(path)
    (checkpoint,) = {cfg.model.classifier.init_cfg.checkpoint}
    assert Path(checkpoint).parts[:2] == ('work_dirs', CLASSIFIERS[0].stem)
    counter = MODELS.build(without_weights(cfg.model)).eval()
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


@pytest.mark.parametrize('path', CLASSIFIERS, ids=lambda path: path.stem)
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


def test_names_follow_the_convention():
    assert CONFIGS
    assert FITTED
    assert CLASSIFIERS
    for path in [*CONFIGS, *FITTED, *CLASSIFIERS]:
        assert path.stem == path.stem.lower()
        assert len(path.stem.split('_')) in (3, 4), path.stem
    detectors = [path for folder in DETECTORS for path in sorted((FOLDER / folder).glob('*.py'))]
    assert len(detectors) > len(DETECTORS)
    for path in detectors:
        # Detectors have a neck between backbone and schedule.
        *_, schedule, dataset = path.stem.split('_')
        assert path.stem == path.stem.lower()
        assert len(path.stem.split('_')) in (4, 5), path.stem
        assert dataset in ('locount', 'mnist-lego-shelf')
        assert schedule.endswith(('x', 'e', 'min')), path.stem


@pytest.mark.parametrize('path', sorted(FOLDER.glob('*/metafile.yml')), ids=lambda path: path.parent.name)
def test_metafiles_are_listed_and_name_every_config_of_their_folder(path):
    root = FOLDER.parent
    index = yaml.safe_load((root / 'model-index.yml').read_text(encoding='utf-8'))['Import']
    assert path.relative_to(root).as_posix() in index
    models = yaml.safe_load(path.read_text(encoding='utf-8'))['Models']
    configs = {one.relative_to(root).as_posix() for one in path.parent.glob('*.py')}
    assert {model['Config'] for model in models} == configs
    assert all(model['Name'] == Path(model['Config']).stem for model in models)
