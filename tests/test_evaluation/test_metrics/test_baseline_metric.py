import numpy as np
import pytest

from mmcount.evaluation import BaselineMetric
from tests.builders import make_sample, run_metric

from .conftest import TRUE


class Counted:
    calls = 0

    def class_counts(self):
        self.calls += 1
        return np.array([[1], [3]])


class Detection:
    metainfo = {'classes': ('a', 'b')}  # noqa: RUF012

    def __len__(self):
        return 2

    def get_data_info(self, index):
        ignored = {'bbox_label': 0, 'ignore_flag': 1}
        return {'instances': [{'bbox_label': 1, 'ignore_flag': 0}, ignored]} if index else {'instances': []}


def test_the_mean_of_the_training_set_is_the_number_to_beat(five):
    metrics = run_metric(BaselineMetric(mean_count=7.0), five())
    assert metrics['count/MAE_mean_baseline'] == np.abs(7.0 - np.array(TRUE)).mean()
    assert metrics['count/bias_mean_baseline'] == pytest.approx(7.0 - np.mean(TRUE))


def test_the_data_set_is_read_once(five):
    dataset = Counted()
    metric = BaselineMetric(dataset=dataset)
    for _ in range(2):
        assert run_metric(metric, five())['count/MAE_mean_baseline'] == np.abs(2.0 - np.array(TRUE)).mean()
    assert dataset.calls == 1


def test_the_instances_of_a_detection_data_set_are_read():
    metrics = run_metric(BaselineMetric(dataset=Detection()), [make_sample('x', gt_counts=[0, 1])])
    assert metrics['count/MAE_mean_baseline'] == 0.5


def test_a_baseline_that_cannot_be_is_refused(five):
    with pytest.raises(ValueError, match='exactly one of'):
        BaselineMetric()
    with pytest.raises(TypeError, match='cannot serve a baseline'):
        run_metric(BaselineMetric(dataset=object()), five())
    with pytest.raises(ValueError, match='the baseline has 3 classes, the evaluated data set 1'):
        run_metric(BaselineMetric(mean_count=[1, 2, 3]), five())
