"""The configs of crowd data sets read trees of the original layout, and their evaluators judge points."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from benchmarks.real_data import data_root
from mmcount.registry import DATASETS, METRICS
from mmcount.utils import register_all_modules

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / 'iim'
# Sets that are published with points alone are read without pseudo boxes.
LEAVES = dict(
    nwpu='iim_hrnet-w48_600e_nwpu',
    shanghaitech_a='iim-points_hrnet-w48_2000e_shanghaitech-a',
    shanghaitech_b='iim-points_hrnet-w48_2000e_shanghaitech-b',
    qnrf='iim-points_hrnet-w48_1000e_qnrf',
    jhu='iim_hrnet-w48_600e_jhu',
    fdst='iim_hrnet-w48_166k_fdst',
)
PHASES = ('train', 'val', 'test')
READING = ('mmcount.LoadImage', 'mmcount.LoadCountAnnotations', 'mmcount.PackCountInputs')


def datasets_of(name, root):
    """The data sets of a config without augmentation."""
    register_all_modules()
    cfg = Config.fromfile(FOLDER / f'{LEAVES[name]}.py')
    built = {}
    for phase in PHASES:
        config = copy.deepcopy(cfg[f'{phase}_dataloader'].dataset)
        assert not Path(config.data_root).is_absolute()
        config.data_root = str(root)
        config.pipeline = [step for step in config.pipeline if step['type'] in READING]
        built[phase] = DATASETS.build(config)
    return cfg, built


def places(instances):
    """The points, or the centres of the boxes."""
    if 'points' in instances:
        return instances.points
    return (instances.bboxes[:, :2] + instances.bboxes[:, 2:]) / 2


def evaluate(cfg, dataset, missed=0):
    """Metrics of points right on the objects, but for the first ones."""
    metric = METRICS.build(copy.deepcopy(cfg.test_evaluator))
    metric.dataset_meta = dataset.metainfo
    for index in range(len(dataset)):
        batch = pseudo_collate([dataset[index]])
        (sample,) = batch['data_samples']
        assert batch['inputs'][0].shape[0] == 3
        points = places(sample.gt_instances)[missed:]
        labels = torch.zeros(len(points), dtype=torch.int64)
        sample.pred_instances = InstanceData(points=points, labels=labels, scores=torch.ones(len(points)))
        metric.process({}, [sample])
    return metric.evaluate(len(dataset))


@pytest.mark.parametrize('name', LEAVES)
def test_a_config_reads_and_evaluates(trees, name):
    trees.whole(name, [(3, 4), (3, 4), (32, 5)])
    cfg, datasets = datasets_of(name, trees.root)
    ids = {phase: {one.get_data_info(i)['img_id'] for i in range(len(one))} for phase, one in datasets.items()}
    assert all(ids.values())
    assert not ids['train'] & ids['val']
    assert not ids['train'] & ids['test'] or name == 'nwpu'  # whose test annotation is not public
    assert datasets['train'][0]['data_samples'].gt_counts.tolist() == [3]  # the head on the border is kept
    test = datasets['test'][0]['data_samples']
    # The boxes of JHU are squares as wide as they were high, with the left edge where it was.
    expected = torch.tensor([[3.0, 4], [3, 4], [32, 5]]) + torch.tensor([float(name == 'jhu'), 0])
    torch.testing.assert_close(places(test.gt_instances).float(), expected)
    perfect = evaluate(cfg, datasets['test'])
    assert perfect['loc/MAE'] == 0
    assert {perfect[key] for key in perfect if key.startswith('loc/F1')} == {1.0}
    assert evaluate(cfg, datasets['val'], missed=2)['loc/MAE'] == 2
    assert len(cfg.img_norm.mean) == len(cfg.img_norm.std) == 3
    assert cfg.model.data_preprocessor.mean == cfg.img_norm.mean


def test_the_real_sample_runs_through_its_config():
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    cfg, datasets = datasets_of('shanghaitech_b', root)
    assert [len(one) for one in datasets.values()] == [27, 3, 8]
    item = datasets['test'][0]
    assert item['inputs'].shape == (3, 768, 1024)
    assert item['data_samples'].gt_counts.tolist() == [16]
    assert evaluate(cfg, datasets['test'], missed=1)['loc/MAE'] == pytest.approx(1)
