import itertools
import math

import numpy as np
import pytest
import torch

from mmcount.evaluation import CountMetric, LocalizationMetric
from mmcount.evaluation.metrics import OneRecordMetric, base
from tests.builders import make_sample, run_metric


def counted(img_id, true, pred, **fields):
    return make_sample(img_id, gt_counts=true, pred_counts=pred, **fields)


class NothingKnown(OneRecordMetric):
    def record(self, sample):
        return {'name': sample['img_id']}

    def compute(self, records):
        return {'images': len(records), 'unknown': math.nan}


def test_a_number_that_does_not_exist_is_left_out():
    assert run_metric(NothingKnown(prefix='p'), [make_sample('a'), make_sample('b')]) == {'p/images': 2}


def test_the_metric_can_be_used_again_after_an_evaluation(five):
    metric = CountMetric()
    assert run_metric(metric, five()) == run_metric(metric, five())


@pytest.mark.parametrize('world', [1, 2, 3, 4])
@pytest.mark.parametrize('size', [1, 5, 7, 8, 13])
def test_shards_padding_and_order_do_not_change_the_result(world, size, monkeypatch):
    rng = np.random.default_rng(size)
    samples = [counted(str(index), rng.integers(0, 9), rng.random() * 9) for index in range(size)]
    expected = run_metric(CountMetric(count_ranges=(0, 5)), samples)
    padded = list(itertools.islice(itertools.cycle(range(size)), -(-size // world) * world))
    shards = []
    for rank in range(world):
        metric = CountMetric(count_ranges=(0, 5))
        for index in rng.permutation(padded[rank::world]):
            metric.process({}, [samples[index].to_dict()])
        shards.append(metric.results[:])
    monkeypatch.setattr(base, 'all_gather_object', lambda _: shards)
    assert metric.evaluate(size) == pytest.approx(expected, abs=1e-12)


def test_an_image_that_is_pushed_twice_is_an_error():
    with pytest.raises(ValueError, match="image 'a' was evaluated twice"):
        run_metric(CountMetric(), [counted('a', 1, 1), counted('a', 1, 1)])


def test_two_records_of_one_image_that_differ_are_an_error(monkeypatch):
    metric, other = CountMetric(), CountMetric()
    metric.process({}, [counted('a', 1, 1).to_dict()])
    other.process({}, [counted('a', 2, 1).to_dict()])
    monkeypatch.setattr(base, 'all_gather_object', lambda mine: [mine, other.results])
    with pytest.raises(ValueError, match="image 'a' has two different records"):
        metric.evaluate(1)


@pytest.mark.parametrize('size', [4, 6])
def test_another_number_of_images_than_the_data_set_has_is_an_error(size, five):
    with pytest.raises(ValueError, match=f'records of 5 images, but the data set has {size}'):
        run_metric(CountMetric(), five(), size=size)


def test_no_image_is_an_error():
    with pytest.raises(ValueError, match='records of 0 images, but the data set has 0: at least one is needed'):
        CountMetric().evaluate(0)


def test_what_is_wrong_with_a_sample_is_told_with_the_name_of_its_image():
    with pytest.raises(ValueError, match='image 7: no ground truth'):
        run_metric(CountMetric(), [{'img_id': 7, 'pred_counts': [1]}])
    with pytest.raises(ValueError, match="no 'img_id'"):
        run_metric(CountMetric(), [{'gt_counts': [1], 'pred_counts': [1]}])


@pytest.mark.parametrize('metric', [CountMetric(), LocalizationMetric(sigmas=(4,))])
def test_annotations_that_were_transformed_are_refused(metric):
    points = {'points': torch.tensor([[3.0, 4.0]])}
    fields = dict(gt_counts=1, pred_counts=1, gt_instances=points, pred_instances=points)
    assert run_metric(metric, [make_sample('a', **fields)])
    with pytest.raises(ValueError, match=r'image a: its image was cut, but .* behind the geometric transforms'):
        run_metric(metric, [make_sample('a', meta={'gt_mismatch': 'its image was cut'}, **fields)])
