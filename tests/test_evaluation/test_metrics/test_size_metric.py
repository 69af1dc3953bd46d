"""Errors of predicted sizes: the functions and the metric."""

import math

import pytest
import torch
from mmengine.structures import InstanceData

from mmcount.registry import METRICS
from mmcount.structures import CountDataSample


def make_sample(name, predicted, true):
    sample = CountDataSample(metainfo=dict(img_id=name))
    if predicted is not None:
        sample.pred_instances = InstanceData(bboxes=torch.tensor(predicted).reshape(-1, 4))
    sample.gt_instances = InstanceData(bboxes=torch.tensor(true).reshape(-1, 4))
    return sample


def test_the_metric_reads_samples_and_their_dicts():
    metric = METRICS.build(dict(type='mmcount.SizeMetric'))
    half = make_sample('a', [[0.0, 0.0, 8.0, 4.0]], [[0.0, 0.0, 8.0, 8.0]])
    metric.process({}, [half, make_sample('b', [], []).to_dict()])
    found = metric.evaluate(size=2)
    assert found == pytest.approx(
        {'size/log_area_MAE': math.log(2), 'size/log_area_bias': -math.log(2), 'size/mIoU': 0.5}
    )


def test_the_metric_names_the_image_that_lacks_boxes():
    metric = METRICS.build(dict(type='mmcount.SizeMetric'))
    with pytest.raises(ValueError, match="image a: pred_instances have no 'bboxes'"):
        metric.process({}, [make_sample('a', None, [[0.0, 0.0, 1.0, 1.0]])])
    with pytest.raises(ValueError, match='image b: each object needs'):
        metric.process({}, [make_sample('b', [], [[0.0, 0.0, 1.0, 1.0]])])
