"""The configs of crowd data sets read trees of the original layout, and their evaluators judge them."""

import copy
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from benchmarks.real_data import data_root
from mmcount.registry import DATASETS, METRICS
from mmcount.utils import register_all_modules

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'
NAMES = ('nwpu', 'shanghaitech_a', 'shanghaitech_b', 'qnrf', 'jhu', 'fdst')
PHASES = ('train', 'val', 'test')


def datasets_of(name, root):
    register_all_modules()
    cfg = Config.fromfile(FOLDER / f'{name}.py')
    built = {}
    for phase in PHASES:
        config = copy.deepcopy(cfg[f'{phase}_dataloader'].dataset)
        assert not Path(config.data_root).is_absolute()
        config.data_root = str(root)
        built[phase] = DATASETS.build(config)
    return cfg, built


def evaluate(cfg, dataset, error):
    metric = METRICS.build(copy.deepcopy(cfg.test_evaluator))
    metric.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        batch = pseudo_collate([dataset[index]])
        (sample,) = batch['data_samples']
        assert batch['inputs'][0].shape[0] == 3
        sample.pred_counts = sample.gt_counts + error
        metric.process({}, [sample])
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize('name', NAMES)
def test_a_config_reads_and_evaluates(trees, name):
    trees.whole(name, [(3, 4), (3, 4), (32, 5)])
    cfg, datasets = datasets_of(name, trees.root)
    ids = {phase: {one.get_data_info(i)['img_id'] for i in range(len(one))} for phase, one in datasets.items()}
    assert all(ids.values())
    assert not ids['train'] & ids['val']
    assert not ids['train'] & ids['test']
    assert datasets['train'][0]['data_samples'].gt_counts.tolist() == [3]  # the head on the border is kept
    assert datasets['test'][0]['data_samples'].gt_instances.points.tolist() == [[3, 4], [3, 4], [32, 5]]
    assert evaluate(cfg, datasets['test'], 0)['count/MAE'] == 0
    assert evaluate(cfg, datasets['val'], 2)['count/MAE'] == 2
    assert len(cfg.img_norm.mean) == len(cfg.img_norm.std) == 3


def test_the_real_sample_runs_through_its_config():
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    cfg, datasets = datasets_of('shanghaitech_b', root)
    assert [len(one) for one in datasets.values()] == [27, 3, 8]
    item = datasets['test'][0]
    assert item['inputs'].shape == (3, 768, 1024)
    assert item['data_samples'].gt_counts.tolist() == [16]
    assert evaluate(cfg, datasets['test'], 1)['count/MAE'] == pytest.approx(1)
