import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mmcount.evaluation.functional import (
    box_containment,
    ellipse_containment,
    pointed_boxes,
    ranked_precision,
    subitizing_table,
)
from mmcount.evaluation.metrics import ClassAccuracy, PointingMetric, SubitizingMetric

LAWS = settings(deadline=None, derandomize=True, max_examples=50)


def test_a_pointer_is_judged_by_how_much_of_it_lies_inside():
    ratios = box_containment([[2, 2, 4, 4], [8, 0, 12, 2], [50, 50, 51, 51], [3, 3, 3, 9]], [[0, 0, 10, 10]])
    assert ratios.ravel().tolist() == [1.0, 0.5, 0.0, 0.0]


def test_ellipses_are_judged_as_ellipses():
    # A quarter of the ellipse, not of its box, lies above and left of its centre.
    ratios = ellipse_containment([[5, 5, 3, 2]], [[0, 0, 10, 10], [0, 0, 5, 5], [2, 3, 2.4, 3.3]])
    assert ratios[0].tolist() == [1.0, 0.25, 0.0]
    # Half-plane at half the half-axis: 1/2 + asin(1/2)/pi + sqrt(3)/(4 pi)
    expected = 0.5 + math.asin(0.5) / math.pi + math.sqrt(3) / (4 * math.pi)
    assert ellipse_containment([[0, 0, 2, 1]], [[-9, -9, 1, 9]], 400)[0, 0] == pytest.approx(expected, abs=1e-3)


def test_one_pointer_serves_one_box():
    assert pointed_boxes([[1.0, 1.0]], 0.5).tolist() == [True, False]
    assert pointed_boxes([[1.0, 0.6], [0.9, 0.0]], 0.5).tolist() == [True, False]  # greedy takes the best one
    assert pointed_boxes([[1.0, 0.6], [0.9, 0.0]], 0.5, 'optimal').tolist() == [True, True]
    assert pointed_boxes([[0.5]], 0.5).tolist() == [False]  # more than the threshold
    assert pointed_boxes(np.zeros((0, 2)), 0.5).tolist() == [False, False]
    assert pointed_boxes(np.zeros((2, 0)), 0.5).tolist() == []


@LAWS
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 4))
def test_the_optimal_assignment_hits_at_least_as_many(seed, num_pointers, num_boxes):
    rng = np.random.default_rng(seed)
    ratios = rng.choice([0.0, 0.4, 0.7, 1.0], (num_pointers, num_boxes))
    greedy, optimal = (int(pointed_boxes(ratios, 0.5, how).sum()) for how in ('greedy', 'optimal'))
    assert greedy <= optimal <= min(num_pointers, num_boxes)
    shuffled = ratios[:, rng.permutation(num_boxes)]
    assert int(pointed_boxes(shuffled, 0.5, 'optimal').sum()) == optimal


def test_the_last_count_is_open_and_the_mean_is_over_counts():
    rows = {row['count']: row for row in subitizing_table([7, 4, 0, 1, 1, 1], [4, 9, 0, 1, 1, 2])}
    assert rows['4+']['accuracy'] == 1.0
    assert rows['1']['accuracy'] == 1.0
    assert rows['2']['accuracy'] == 0.0
    assert math.isnan(rows['3']['accuracy'])
    assert rows['mean']['accuracy'] == pytest.approx((1 + 1 + 0 + 1) / 4)
    with pytest.raises(ValueError, match='agree in number'):
        subitizing_table([1], [1, 2])
    with pytest.raises(ValueError, match='finite counts of 0 or more'):
        subitizing_table([-1], [1])
    with pytest.raises(ValueError, match=r'scores must be \(1, 5\)'):
        subitizing_table([1], [1], scores=[[1, 2]])


@LAWS
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.7]), st.booleans()), min_size=1, max_size=20))
def test_average_precision_of_a_ranking_is_scikit_learns(pairs):
    scores, positive = zip(*pairs, strict=True)
    if any(positive):
        assert ranked_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))
    else:
        assert math.isnan(ranked_precision(scores, positive))


def image(name, true, pred, boxes=(), pointers=(), **fields):
    instances = {'bboxes': list(pointers), 'scores': [1.0] * len(pointers)}
    truth = {'bboxes': list(boxes)}
    counts = {'gt_counts': [float(true)], 'pred_counts': [float(pred)]}
    return {'img_id': name, **counts, 'gt_instances': truth, 'pred_instances': instances, **fields}


def test_images_whose_count_is_wrong_are_left_out_of_pointing(tmp_path):
    metric = PointingMetric(curve_file=str(tmp_path / 'curve.csv'))
    box, far, near = [0, 0, 10, 10], [20, 20, 30, 30], [1, 1, 3, 3]
    samples = [
        image('right', 1, 1, [box], [near]),
        image('wrong', 2, 1, [box, far], [near]),
        image('missed', 2, 2, [box, far], [near, [60, 60, 61, 61]]),
        image('none', 0, 0),
    ]
    metric.process({}, samples)
    found = metric.evaluate(size=4)
    assert found['pointing/accuracy@0.5'] == pytest.approx(2 / 3)
    assert found['pointing/accuracy@0.5_1'] == 1.0
    assert found['pointing/accuracy@0.5_2'] == 0.5
    assert found['pointing/accuracy_all@0.5'] == pytest.approx(3 / 5)
    assert found['pointing/images@0.5'] == 0.5
    lines = (tmp_path / 'curve.csv').read_text().splitlines()
    assert lines[0] == 'threshold,accuracy,accuracy_all'
    assert len(lines) == 21


def test_pointers_below_the_threshold_are_not_counted_either():
    sample = image('a', 1, 1, [[0, 0, 10, 10]], [[1, 1, 3, 3], [20, 20, 30, 30]])
    del sample['pred_counts']
    sample['pred_instances'].update(scores=[0.9, 0.4], labels=[0, 0])
    for score_thr, accuracy in ((0.5, 1.0), (0.0, None)):
        metric = PointingMetric(score_thr=score_thr, thresholds=(0.5,))
        metric.process({}, [sample])
        assert metric.evaluate(size=1).get('pointing/accuracy@0.5') == accuracy


def test_ellipses_are_preferred_to_their_boxes():
    sample = image('a', 1, 1, [[0, 0, 5, 10]], [[0, 0, 10, 10]])
    sample['pred_instances']['ellipses'] = [[2, 5, 1, 1]]
    metric = PointingMetric(thresholds=(0.8,))
    metric.process({}, [sample])
    assert metric.evaluate(size=1)['pointing/accuracy@0.8'] == 1.0


@pytest.mark.parametrize('field', ['gt_instances', 'pred_instances'])
def test_pointing_needs_boxes_and_names_the_image(field):
    sample = image('im7', 1, 1, [[0, 0, 5, 10]], [[0, 0, 10, 10]])
    del sample[field]['bboxes']
    with pytest.raises(ValueError, match='image im7: no '):
        PointingMetric().process({}, [sample])


def test_subitizing_reports_accuracy_and_average_precision(tmp_path):
    metric = SubitizingMetric(max_count=2, table_file=str(tmp_path / 'table.csv'))
    scores = [[0.9, 0, 0], [0, 0.4, 0.5], [0, 0, 0.9], [0, 0.1, 0.3]]
    truth = [0, 1, 2, 5]
    for index, (row, true) in enumerate(zip(scores, truth, strict=True)):
        metric.process({}, [image(str(index), true, int(np.argmax(row)), pred_count_scores=row)])
    found = metric.evaluate(size=4)
    assert found['subitizing/accuracy_1'] == 0.0
    assert found['subitizing/accuracy_2+'] == 1.0
    assert found['subitizing/accuracy'] == pytest.approx(2 / 3)
    assert found['subitizing/AP_1'] == 1.0
    assert found['subitizing/AP_2+'] == pytest.approx((1 + 2 / 3) / 2)
    assert (tmp_path / 'table.csv').read_text().startswith('count,images,accuracy,AP\n0,1,1.0,1.0\n')
    with pytest.raises(ValueError, match='image x: pred_count_scores has 2 counts, expected 3'):
        metric.process({}, [image('x', 1, 1, pred_count_scores=[0, 1])])


def test_class_accuracy_ranks_the_true_class():
    metric = ClassAccuracy(topk=(1, 2))
    for name, counts, scores in (
        ('a', [0, 3, 0], [0.1, 0.8, 0.1]),
        ('b', [1, 0, 0], [0.3, 0.6, 0.1]),
        ('c', [0, 0, 1], [0.5, 0.4, 0.1]),
        ('empty', [0, 0, 0], [1, 0, 0]),
    ):
        metric.process({}, [{'img_id': name, 'gt_counts': counts, 'pred_scores': scores}])
    assert metric.evaluate(size=4) == pytest.approx({'class/top1': 1 / 3, 'class/top2': 2 / 3})
    with pytest.raises(ValueError, match=r'image z: objects of the classes \[0, 1\]'):
        ClassAccuracy().process({}, [{'img_id': 'z', 'gt_counts': [1, 1], 'pred_scores': [1, 0]}])
    with pytest.raises(ValueError, match="image z: no 'pred_scores'"):
        ClassAccuracy().process({}, [{'img_id': 'z', 'gt_counts': [1, 1]}])
