"""One set of predictions, scored from the data set by the metric and from the benchmark's files by the tool."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmcount.datasets import NWPUCrowd
from mmcount.evaluation import LocalizationMetric
from mmcount.evaluation.functional import CrowdPoints, box_levels, box_sigmas
from mmcount.evaluation.metrics import read_points, write_crowd_points
from mmcount.registry import TRANSFORMS

NUMBERS = {'0001': 0, '0002': 1, '0003': 3, '0004': 40, '0005': 0, '0006': 700}


@pytest.fixture(scope='module')
def score_files():
    path = Path(__file__).parents[3] / 'tools' / 'analysis_tools' / 'score_points.py'
    spec = importlib.util.spec_from_file_location('score_points', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.score_files


@pytest.fixture
def files(trees):
    """Images with heads, some at one place and some outside; and the list, whose sigmas and points are rounded."""
    rng = np.random.default_rng(0)
    heads, predictions = {}, {}
    for name, number in NUMBERS.items():
        points = rng.uniform(-4, 34, (number, 2))
        points[number // 2 :: 9] = points[:1]
        trees.nwpu(name, points.tolist(), 'val')
        boxes = np.concatenate((points - np.array([2, 3]), points + np.array([2, 3])), axis=1)
        located = np.round(points)
        sigmas = box_sigmas(boxes, 'nearest')
        heads[name] = CrowdPoints(located, sigmas, box_levels(boxes))
        # Integers, as the benchmark's files have them; more than heads, or fewer.
        kept = points[rng.random(number) < 0.8]
        predictions[name] = np.trunc(np.concatenate((kept + 1.5, rng.uniform(0, 30, (number % 3, 2)))))
    write_crowd_points(trees.root / 'val_gt_loc.txt', heads)
    return trees.root, predictions


def test_the_data_set_and_the_list_give_one_table(files, score_files):
    root, predictions = files
    pipeline = [
        dict(type='mmcount.LoadImage'),
        dict(type='mmcount.ResizeToMinimum', min_size=(32, 64)),
        dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
        dict(
            type='mmcount.PackCountInputs', image_counts='annotations', annotation_keys=('points', 'sigmas', 'levels')
        ),
    ]
    dataset = NWPUCrowd(
        data_root=root,
        subset='val',
        locations='val_gt_loc.txt',
        test_mode=True,
        pipeline=[TRANSFORMS.build(one) for one in pipeline],
    )
    submission = root / 'out' / 'loc.txt'
    metric = LocalizationMetric(sigmas=(4, 8), submission_file=str(submission))
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        assert sample.img_shape == (64, 64)
        points = torch.from_numpy(predictions[sample.img_id])
        sample.pred_instances = InstanceData(points=points, labels=torch.zeros(len(points), dtype=torch.int64))
        metric.process({}, [sample.to_dict()])
    metrics = metric.evaluate(len(dataset))
    expected = score_files(submission, root / 'val_gt_loc.txt', sigmas=(4, 8))
    assert metrics == {f'loc/{key}': value for key, value in expected.items()}
    assert 0 < metrics['loc/F1_s'] < metrics['loc/F1_l'] < 1
    assert metrics['loc/negative_images'] == 2
    assert {name: len(points) for name, points in read_points(submission).items()} == {
        name: len(points) for name, points in predictions.items()
    }


def test_without_the_keys_the_table_is_another(files, score_files):
    """Centres of boxes and sigmas that are not rounded are near, and not the benchmark's."""
    root, predictions = files
    load = TRANSFORMS.build(dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'))
    pack = TRANSFORMS.build(dict(type='mmcount.PackCountInputs', image_counts='annotations'))
    dataset = NWPUCrowd(data_root=root, subset='val', locations='val_gt_loc.txt', test_mode=True, pipeline=[load, pack])
    metric = LocalizationMetric(submission_file=str(root / 'loc.txt'))
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        points = torch.from_numpy(predictions[sample.img_id])
        sample.pred_instances = InstanceData(points=points, labels=torch.zeros(len(points), dtype=torch.int64))
        metric.process({}, [sample.to_dict()])
    metrics = metric.evaluate(len(dataset))
    assert metrics['loc/F1_s'] != score_files(root / 'loc.txt', root / 'val_gt_loc.txt')['F1_s']
