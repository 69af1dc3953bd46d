import inspect
import math

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmcount.evaluation import CountMetric
from mmcount.evaluation.metrics import count_metric
from mmcount.registry import METRICS
from tests.builders import make_sample, run_metric


def counted(img_id, true, pred, **fields):
    return make_sample(img_id, gt_counts=true, pred_counts=pred, **fields)


def test_five_images_by_hand(five):
    """Errors +1, -2, +3, 0, +1: MAE 7/5, squares 15/5, ratios 1/2, 2/10, 3/20, 0/5 and one image left out."""
    assert run_metric(CountMetric(), five()) == pytest.approx(
        {
            'count/MAE': 1.4,
            'count/RMSE': math.sqrt(3),
            'count/NAE': 0.2125,
            'count/NAE_left_out': 1,
            'count/bias': 0.6,
            'count/std': math.sqrt(2.64),
        }
    )


def test_the_evaluator_of_the_runner_takes_our_samples():
    evaluator = Evaluator([{'type': 'mmcount.CountMetric'}, {'type': 'mmcount.GameMetric', 'levels': (0,)}])
    fields = dict(gt_instances={'points': [[0.0, 0.0]]}, pred_density=torch.full((1, 2, 2), 0.5))
    evaluator.process([counted('a', 1, 2, **fields)])
    assert evaluator.evaluate(1)['count/GAME0'] == 1.0


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_count_that_is_not_finite_is_refused_by_the_name_of_its_image(bad):
    with pytest.raises(ValueError, match=r'image broken\.png: pred_counts is not finite'):
        run_metric(CountMetric(), [counted('broken.png', 1, bad)])


def test_another_number_of_classes_is_refused():
    with pytest.raises(ValueError, match='image a: gt_counts has 1 classes, expected 2'):
        run_metric(CountMetric(), [counted('a', 1, 1)], classes=('one', 'two'))
    with pytest.raises(ValueError, match='image a: pred_counts has 2 classes, expected 1'):
        run_metric(CountMetric(), [counted('a', 1, [1, 1])])
    with pytest.raises(ValueError, match='different numbers of classes'):
        run_metric(CountMetric(), [counted('a', 1, 1), counted('b', [1, 1], [1, 1])])


def test_classes_are_reported_beside_their_total():
    samples = [counted('a', [1, 5], [2, 4]), counted('b', [0, 0], [0, 3])]
    metrics = run_metric(CountMetric(), samples, classes=('cat', 'dog'))
    assert metrics['count/MAE'] == 1.5  # a confusion of classes does not change the total
    assert (metrics['count/MAE_cat'], metrics['count/MAE_dog'], metrics['count/mMAE']) == (0.5, 2.0, 1.25)
    assert not any('cat' in key for key in run_metric(CountMetric(classwise=False), samples, classes=('cat', 'dog')))


def test_ranges_have_names_that_every_logger_takes(five):
    metrics = run_metric(CountMetric(count_ranges=(0, 5, 10)), five())
    assert (metrics['count/MAE_0to4'], metrics['count/MAE_5to9'], metrics['count/MAE_10up']) == (1.0, 0.0, 2.5)
    assert metrics['count/images_10up'] == 2
    assert all(set(key) <= set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-.') for key in metrics)


def test_images_without_objects_count_and_have_no_ratio():
    metrics = run_metric(CountMetric(), [counted('a', 0, 0.5), counted('b', 0, 0)])
    assert metrics['count/MAE'] == 0.25
    assert metrics['count/NAE_left_out'] == 2
    assert 'count/NAE' not in metrics


def test_saturated_images_are_counted(five):
    assert run_metric(CountMetric(), five(saturated=True))['count/saturated'] == 5
    assert 'count/saturated' not in run_metric(CountMetric(), five())


def test_a_plain_detector_counts_its_boxes_above_the_threshold():
    made = DetDataSample(metainfo={'img_id': 7, 'ori_shape': (8, 8)})
    made.gt_instances = InstanceData(bboxes=torch.zeros(3, 4), labels=torch.tensor([0, 1, 1]))
    made.pred_instances = InstanceData(
        bboxes=torch.zeros(4, 4), labels=torch.tensor([0, 1, 1, 1]), scores=torch.tensor([0.9, 0.6, 0.4, 0.1])
    )
    assert run_metric(CountMetric(), [made], classes=('a', 'b'))['count/MAE'] == 0
    assert run_metric(CountMetric(score_thr=0.5), [made], classes=('a', 'b'))['count/bias'] == -1


def test_options_out_of_range_are_refused_before_training():
    with pytest.raises(ValueError, match='edges must increase'):
        CountMetric(count_ranges=(10, 0))


@pytest.mark.parametrize('name', count_metric.MOVED)
def test_an_option_that_moved_is_refused_with_its_new_place(name):
    with pytest.raises(TypeError, match=f'CountMetric has no option {name!r}: use dict') as raised:
        CountMetric(**{name: None})
    place = count_metric.MOVED[name]
    metric = METRICS.get(place.split("'")[1])
    options = [part.split('=')[0].split()[-1].strip('(') for part in place.split(', ')[1:]]
    assert set(options) <= set(inspect.signature(metric).parameters)
    assert place in str(raised.value)


def test_an_option_that_never_was_is_refused():
    with pytest.raises(TypeError, match="no option 'clas'"):
        CountMetric(clas=True)
