"""The configs of crowd data sets read trees of the original layout, and their evaluators judge them."""

import copy
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from benchmarks.real_data import data_root
from mmcount.registry import DATASETS, METRICS
from mmcount.structures.sample_fields import instance_points
from mmcount.utils import register_all_modules

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'
NAMES = ('nwpu', 'shanghaitech_a', 'shanghaitech_b', 'qnrf', 'jhu', 'fdst')
PHASES = ('train', 'val', 'test')


def write_boxes(config, path):
    """A box of 6 px around every head, for data sets whose annotation is points."""
    dataset = DATASETS.build({**copy.deepcopy(config), 'boxes_file': None, 'pipeline': []})
    new = not path.exists()
    with path.open('a') as stream:
        if new:
            stream.write('image,x,y,x1,y1,x2,y2\n')
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            for x, y in info['points'].tolist():
                stream.write(f'{info["img_id"]},{x},{y},{x - 2.5},{y - 2.5},{x + 3.5},{y + 3.5}\n')


def datasets_of(name, root, boxes_file):
    register_all_modules()
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    built = {}
    for phase in PHASES:
        config = cfg[f'{phase}_dataloader'].dataset
        assert not Path(config.data_root).is_absolute()
        config.data_root = str(root)
        if config.get('boxes_file') is not None:
            config.boxes_file = str(boxes_file)
            write_boxes(config, boxes_file)
    for phase in PHASES:
        built[phase] = DATASETS.build(copy.deepcopy(cfg[f'{phase}_dataloader'].dataset))
    return cfg, built


def evaluate(cfg, dataset, missing):
    """Scores of the true boxes but for the last ones of each image."""
    metric = METRICS.build(copy.deepcopy(cfg.test_evaluator))
    metric.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        batch = pseudo_collate([dataset[index]])
        (sample,) = batch['data_samples']
        assert batch['inputs'][0].shape[0] == 3
        sample.pred_instances = sample.gt_instances[: len(sample.gt_instances) - missing]
        sample.pred_counts = sample.gt_counts - missing
        metric.process({}, [sample])
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize('name', NAMES)
def test_a_config_reads_and_evaluates(trees, tmp_path, name):
    trees.whole(name, [(3, 4), (3, 4), (31, 5)])
    cfg, datasets = datasets_of(name, trees.root, tmp_path / 'boxes.csv')
    ids = {phase: {one.get_data_info(i)['img_id'] for i in range(len(one))} for phase, one in datasets.items()}
    assert all(ids.values())
    assert not ids['train'] & ids['val']
    assert not ids['train'] & ids['test']
    assert len(datasets['train'].get_data_info(0)['labels']) == 3
    instances = datasets['test'][0]['data_samples'].gt_instances
    assert np.allclose(instance_points(instances), [[3, 4], [3, 4], [31, 5]], atol=1)
    assert evaluate(cfg, datasets['test'], 0)['loc/F1_l'] == 1
    assert evaluate(cfg, datasets['val'], 2)['loc/MAE'] == 2
    assert len(cfg.img_norm.mean) == len(cfg.img_norm.std) == 3


def test_the_real_sample_runs_through_its_config(tmp_path):
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    cfg, datasets = datasets_of('shanghaitech_b', root, tmp_path / 'boxes.csv')
    assert [len(one) for one in datasets.values()] == [27, 3, 8]
    item = datasets['test'][0]
    assert item['inputs'].shape == (3, 1536, 2048)
    assert item['data_samples'].gt_counts.tolist() == [16]
    assert evaluate(cfg, datasets['test'], 1)['loc/MAE'] == 1
