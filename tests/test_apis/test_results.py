import csv
import json
from contextlib import suppress

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

from mmcount.apis.results import CountResult, is_at_cap, result_from_sample, round_count
from mmcount.apis.writers import COUNT_COLUMNS, OBJECT_COLUMNS, CountsCsv, count_rows, object_rows, partial_path
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
    assert result.bboxes.shape == (2, 4)
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
    assert result.bboxes.shape == (0, 4)


def test_counts_of_a_density_are_not_those_of_its_peaks_and_peaks_have_no_threshold():
    result = result_from_sample(density_sample(), 'a', CLASSES)
    assert result.counts == pytest.approx({'cat': 2.6, 'dog': 0.6})
    assert result.points.tolist() == [[3.0, 4.0]]
    assert result.bboxes is None
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


def good(name='a', value=1.5, **kwargs):
    return CountResult(name, counts={'cat': value, 'dog': 0.0}, width=4, height=3, **kwargs)


def rows_of(path):
    with open(path, encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def test_rows_keep_zeros_and_say_what_they_were_counted_with():
    rows = [
        dict(zip(COUNT_COLUMNS, row, strict=True))
        for row in count_rows(good(interval={'cat': (1, 2), 'dog': (0, 0)}, saturated=True), CLASSES, 'm', 'f00')
    ]
    assert [(row['class'], row['count'], row['count_float']) for row in rows] == [
        ('cat', '2', '1.5000'),
        ('dog', '0', '0.0000'),
    ]
    assert (rows[0]['lo'], rows[0]['hi'], rows[0]['saturated'], rows[0]['area_px']) == ('1.0000', '2.0000', 'true', 12)
    assert (rows[1]['model'], rows[1]['weights_sha256'], rows[1]['error']) == ('m', 'f00', '')


def test_rows_of_a_failed_image_have_an_error_in_one_line_and_no_count():
    rows = [
        dict(zip(COUNT_COLUMNS, row, strict=True))
        for row in count_rows(CountResult('b', error='a\nb'), CLASSES, 'm', '')
    ]
    assert [row['error'] for row in rows] == ['a b', 'a b']
    assert {row['count'] + row['count_float'] + row['saturated'] + row['area_px'] for row in rows} == {''}


def test_objects_have_points_and_boxes():
    result = result_from_sample(detections(), 'a', CLASSES, score_thr=0.5)
    row = dict(zip(OBJECT_COLUMNS, object_rows(result, CLASSES)[0], strict=True))
    assert (row['class'], row['x'], row['y'], row['x2'], row['count_in_box']) == ('dog', '4.50', '9.50', '10.00', '1')
    point = dict(
        zip(OBJECT_COLUMNS, object_rows(result_from_sample(density_sample(), 'a', CLASSES), CLASSES)[0], strict=True)
    )
    assert (point['x'], point['x1']) == ('3.00', '')


def interrupted(path, objects=None):
    """A run that ends in the middle of its third image, after one that failed."""
    one = dict(points=np.ones((1, 2)), labels=np.zeros(1, int), scores=np.ones(1), box_counts=np.ones(1))
    with suppress(KeyboardInterrupt), CountsCsv(path, CLASSES, 'm', 'f00', objects) as writer:
        writer.write(good('one, two'))
        writer.write(CountResult('bad', error='broken'))
        writer.write(good('cut', **one))
        raise KeyboardInterrupt
    lines = partial_path(path).read_text().splitlines(keepends=True)
    partial_path(path).write_text(''.join(lines[:-1]) + lines[-1][:12])


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path):
    path = tmp_path / 'new' / 'counts.csv'
    with CountsCsv(path, CLASSES, 'm', 'f00') as writer:
        writer.write(good())
        assert not path.exists()
        assert len(rows_of(partial_path(path))) == 2  # already on its way to the disk
    assert len(rows_of(path)) == 2
    assert not partial_path(path).exists()


def test_an_interrupted_file_is_continued_without_doubles(tmp_path):
    path, objects = tmp_path / 'counts.csv', tmp_path / 'objects.csv'
    interrupted(path, objects)
    assert not path.exists()
    with CountsCsv(path, CLASSES, 'm', 'f00', objects, resume=True) as writer:
        assert writer.done == {'one, two'}
        writer.write(good('bad'))
        writer.write(good('cut'))
    assert [row['image'] for row in rows_of(path)] == ['one, two'] * 2 + ['bad'] * 2 + ['cut'] * 2
    assert rows_of(objects) == []


def test_without_resume_an_interrupted_file_is_started_anew(tmp_path):
    path = tmp_path / 'counts.csv'
    interrupted(path)
    with CountsCsv(path, CLASSES, 'm', 'f00') as writer:
        assert writer.done == set()
    assert rows_of(path) == []


def test_a_file_of_another_model_or_other_classes_is_not_continued(tmp_path):
    path = tmp_path / 'counts.csv'
    interrupted(path)
    with pytest.raises(ValueError, match='cannot be continued'):
        CountsCsv(path, CLASSES, 'm', 'other', resume=True)
    with pytest.raises(ValueError, match='cannot be continued'):
        CountsCsv(path, ('cow',), 'm', 'f00', resume=True)
    with pytest.raises(FileNotFoundError, match='objects cannot be continued'):
        CountsCsv(path, CLASSES, 'm', 'f00', tmp_path / 'objects.csv', resume=True)
    partial_path(path).write_text('image,number\n')
    with pytest.raises(ValueError, match='line 1: expected the columns'):
        CountsCsv(path, CLASSES, 'm', 'f00', resume=True)
