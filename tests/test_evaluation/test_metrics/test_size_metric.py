import math

import pytest

from mmcount.registry import METRICS
from tests.builders import make_sample


def boxes(predicted, true):
    return dict(pred_instances={'bboxes': predicted}, gt_instances={'bboxes': true})


def test_the_metric_reads_samples_and_their_dicts():
    metric = METRICS.build(dict(type='mmcount.SizeMetric'))
    half = make_sample('a', **boxes([[0.0, 0.0, 8.0, 4.0]], [[0.0, 0.0, 8.0, 8.0]]))
    metric.process({}, [half, make_sample('b', **boxes([], [])).to_dict()])
    found = metric.evaluate(size=2)
    assert found == pytest.approx(
        {'size/log_area_MAE': math.log(2), 'size/log_area_bias': -math.log(2), 'size/mIoU': 0.5}
    )


def test_the_metric_names_the_image_that_lacks_boxes():
    metric = METRICS.build(dict(type='mmcount.SizeMetric'))
    with pytest.raises(ValueError, match="image a: pred_instances have no 'bboxes'"):
        metric.process({}, [make_sample('a', gt_instances={'bboxes': [[0.0, 0.0, 1.0, 1.0]]})])
    with pytest.raises(ValueError, match='image b: each object needs'):
        metric.process({}, [make_sample('b', **boxes([], [[0.0, 0.0, 1.0, 1.0]]))])
