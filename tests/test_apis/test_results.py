import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmcount.apis.results import CountResult, CountResults, round_count
from mmcount.apis.sample_results import is_at_cap, result_from_sample
from mmcount.structures import CountDataSample

CLASSES = ('cat', 'dog')


def detections():
    sample = DetDataSample()
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor([[0.0, 0, 10, 20], [5, 5, 7, 7], [1, 1, 3, 3]]),
        labels=torch.tensor([1, 1, 0]),
        scores=torch.tensor([0.9, 0.6, 0.1]),
    )
    return sample


def density_sample():
    sample = CountDataSample()
    sample.pred_counts = torch.tensor([2.6, 0.6])
    sample.pred_calibrated_counts = torch.tensor([5.0, 0.0])
    sample.pred_density = PixelData(data=torch.full((2, 4, 4), 0.1))
    sample.pred_interval = torch.tensor([[1.0, 6.0], [0.0, 1.0]])
    sample.pred_instances = InstanceData(
        points=torch.tensor([[3.0, 4.0]]), labels=torch.tensor([0]), scores=torch.tensor([0.01])
    )
    return sample


def test_boxes_of_a_detector_count_one_each_from_the_threshold_on():
    result = result_from_sample(detections(), 'a', CLASSES, score_thr=0.5)
    assert result.counts == {'cat': 0.0, 'dog': 2.0}
    assert result.count == 2
    np.testing.assert_allclose(result.points, [[4.5, 9.5], [5.5, 5.5]])
    assert result.boxes.shape == (2, 4)
    assert result.labels.tolist() == [1, 1]
    assert result.box_counts.tolist() == [1, 1]
    assert result.density is None
    assert result.interval is None


def test_boxes_that_hold_many_count_many():
    sample = detections()
    sample.pred_instances.counts = torch.tensor([4, 1, 7])
    result = result_from_sample(sample, 'a', CLASSES, score_thr=0.3)
    assert result.counts == {'cat': 0.0, 'dog': 5.0}
    assert result.box_counts.tolist() == [4, 1]


def test_no_detection_gives_a_zero_for_each_class():
    sample = DetDataSample()
    sample.pred_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0).long(), scores=torch.zeros(0))
    result = result_from_sample(sample, 'a', CLASSES)
    assert result.counts == {'cat': 0.0, 'dog': 0.0}
    assert result.points.shape == (0, 2)
    assert result.boxes.shape == (0, 4)


def test_counts_of_a_density_are_not_those_of_its_peaks_and_peaks_have_no_threshold():
    result = result_from_sample(density_sample(), 'a', CLASSES)
    assert result.counts == pytest.approx({'cat': 2.6, 'dog': 0.6})
    assert result.points.tolist() == [[3.0, 4.0]]
    assert result.boxes is None
    assert result.interval == {'cat': (1.0, 6.0), 'dog': (0.0, 1.0)}
    assert result.density.shape == (2, 4, 4)
    assert result_from_sample(density_sample(), 'a', CLASSES, with_density=False).density is None


def test_the_total_is_rounded_once():
    result = result_from_sample(density_sample(), 'a', CLASSES)
    assert result.count == 3  # 2.6 + 0.6; the rounded classes would give 4
    assert [round_count(value) for value in (-3.0, 0.49, 0.5, 1.5)] == [0, 0, 1, 2]


def test_calibrated_counts_are_used_when_asked_for():
    assert result_from_sample(density_sample(), 'a', CLASSES, calibrated=True).counts == {'cat': 5.0, 'dog': 0.0}
    with pytest.raises(ValueError, match='image a: the model predicts no calibrated counts'):
        result_from_sample(detections(), 'a', CLASSES, calibrated=True)


def test_an_interval_without_the_calibrated_count_is_not_shown():
    sample = density_sample()
    del sample.pred_calibrated_counts
    result = result_from_sample(sample, 'a', CLASSES)
    assert (result.calibrated_counts, result.interval) == (None, None)


def test_one_line_says_what_has_to_be_known():
    one = CountResult('a', counts={'cat': 3.0}, calibrated_counts={'cat': 2.5}, interval={'cat': (2.0, 3.0)})
    assert one.summary() == '3 (calibrated 2.5, 2.0 to 3.0)'
    one.counts, one.calibrated = one.calibrated_counts, True
    assert one.summary() == '3 (2.0 to 3.0)'
    assert CountResult('a', counts={'cat': 3.0}).summary() == '3'
    assert CountResult('a', error='broken').summary() == 'FAILED: broken'


def test_a_sample_of_another_number_of_classes_is_refused():
    with pytest.raises(ValueError, match='2 classes, expected 1'):
        result_from_sample(density_sample(), 'a', ('cell',))


def test_the_cap_is_reached_only_by_boxes_that_count():
    assert is_at_cap(detections(), 3, score_thr=0.0)
    assert not is_at_cap(detections(), 3, score_thr=0.3)
    assert is_at_cap(detections(), 2, score_thr=0.3)
    assert not is_at_cap(detections(), None, score_thr=0.0)


def test_results_become_json():
    out = json.loads(json.dumps(result_from_sample(density_sample(), 'a', CLASSES).to_dict(density=True)))
    assert out['count'] == 3
    assert out['points'] == [[3.0, 4.0]]
    assert np.shape(out['density']) == (2, 4, 4)
    failed = CountResult('b', error='broken').to_dict()
    assert failed['count'] is None
    assert failed['error'] == 'broken'
    assert 'density' not in failed
    results = CountResults([CountResult('a'), CountResult('b', error='broken')])
    assert [one.image for one in results.failed] == ['b']
    assert list(results.keys()) == ['predictions', 'visualization']
