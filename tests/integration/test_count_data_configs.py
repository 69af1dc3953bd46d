"""The data set configs of image-level counts read files of their layout, train on counts alone, and evaluate."""

import copy
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from benchmarks.real_data import data_root
from mmcount.datasets.lower_counts import LIMITED_KEYS, LowerCounts
from mmcount.registry import DATASETS, METRICS
from mmcount.utils import register_all_modules

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'
NAMES = ('voc07_counts', 'coco14_counts', 'coco17_counts', 'counts_csv', 'mnist_lego_classes')
PHASES = ('train', 'val', 'test')


def load(name):
    register_all_modules()
    return Config.fromfile(FOLDER / f'{name}.py')


def voc_tree(root):
    """Two images in each list, named after it: one of 7 dogs and a difficult cat, one of nothing."""
    for folder in ('ImageSets/Main', 'Annotations', 'JPEGImages'):
        (root / folder).mkdir(parents=True)
    for phase in PHASES:
        (root / 'ImageSets' / 'Main' / f'{phase}.txt').write_text(f'{phase}0\n{phase}1\n')
        for index, dogs in enumerate((7, 0)):
            box = '<bndbox><xmin>{0}</xmin><ymin>2</ymin><xmax>{0}</xmax><ymax>8</ymax></bndbox>'
            rows = [f'<object><name>dog</name>{box.format(3 + 4 * one)}</object>' for one in range(dogs)]
            rows += [f'<object><name>cat</name><difficult>1</difficult>{box.format(2)}</object>'] * min(dogs, 1)
            (root / 'Annotations' / f'{phase}{index}.xml').write_text(f'<annotation>{"".join(rows)}</annotation>')
            Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(root / 'JPEGImages' / f'{phase}{index}.jpg')


def csv_tree(root):
    (root / 'images').mkdir()
    for index in range(10):
        Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(root / 'images' / f'{index}.png')
    (root / 'counts.csv').write_text('image,count\n' + ''.join(f'{index}.png,{index}\n' for index in range(10)))


def prepared(name, tmp_path):
    """The config with its data at hand."""
    cfg = load(name)
    root = tmp_path
    if name == 'voc07_counts':
        voc_tree(tmp_path)
    elif name == 'counts_csv':
        csv_tree(tmp_path)
    elif name.startswith('coco'):
        root = data_root('coco_sample')
        if root is None:
            pytest.skip('the COCO sample is not on this machine')
    for phase in PHASES:
        dataset = cfg[f'{phase}_dataloader'].dataset
        dataset = dataset.get('dataset', dataset)
        if name.startswith('coco'):
            part = 'train2017' if phase == 'train' else 'val2017'
            dataset.update(ann_file=f'{part}.json', data_prefix=dict(img=part))
        if name == 'mnist_lego_classes':
            dataset.num_samples = 12
        else:
            dataset.data_root = str(root)
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    cfg.test_evaluator = [one for one in evaluators if one.type != 'mmcount.BaselineMetric']
    return cfg


@pytest.mark.parametrize('name', NAMES)
def test_training_knows_limited_counts_only_and_evaluation_all(name, tmp_path):
    cfg = prepared(name, tmp_path)
    datasets = {phase: DATASETS.build(copy.deepcopy(cfg[f'{phase}_dataloader'].dataset)) for phase in PHASES}
    assert cfg.train_dataloader.batch_size == 16
    train = datasets['train']
    assert isinstance(train, LowerCounts)
    assert train.limit == 4
    assert train.class_counts().max() == 5
    for index in range(2):
        assert set(train.get_data_info(index)) <= {*LIMITED_KEYS, 'image_counts', 'count_limit'}
        item = train[index]
        side = 128 if name == 'mnist_lego_classes' else 448
        assert item['inputs'].shape == (3, side, side)
        assert 'gt_instances' not in item['data_samples']
        assert item['data_samples'].gt_counts.shape == (train.num_classes,)
    assert not any(isinstance(datasets[phase], LowerCounts) for phase in ('val', 'test'))
    ids = [{datasets[phase].get_data_info(i)['img_id'] for i in range(len(datasets[phase]))} for phase in PHASES]
    assert not ids[0] & ids[1]
    assert not ids[1] & ids[2]


@pytest.mark.parametrize('name', NAMES)
def test_a_perfect_counter_has_no_error_and_an_empty_one_has(name, tmp_path):
    cfg = prepared(name, tmp_path)
    dataset = DATASETS.build(copy.deepcopy(cfg.test_dataloader.dataset))
    number = min(len(dataset), 6)
    samples = [dataset[index]['data_samples'] for index in range(number)]
    for factor in (1, 0):
        results = {}
        for evaluator in cfg.test_evaluator:
            metric = METRICS.build(copy.deepcopy(evaluator))
            metric.dataset_meta = dataset.metainfo
            for sample in samples:
                sample.pred_counts = sample.gt_counts * factor
                if 'gt_instances' in sample:
                    sample.pred_instances = sample.gt_instances if factor else sample.gt_instances[:0]
                metric.process({}, [sample])
            results.update(metric.evaluate(number))
        keys = ['count/mRMSE'] if name == 'counts_csv' else ['count/mRMSE', 'count/GAME0', 'count/GAME3']
        assert all((results[key] < 1e-6) == (factor == 1) for key in keys), results
