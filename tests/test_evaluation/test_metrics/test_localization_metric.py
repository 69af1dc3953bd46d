"""``LocalizationMetric`` on samples of points and boxes, and the files of the benchmark."""

import numpy as np
import pytest
import torch

from mmcount.evaluation import LocalizationMetric
from mmcount.evaluation.functional import CrowdPoints, box_levels, box_sigmas, localization_errors, score_points
from mmcount.evaluation.metrics import (
    base,
    read_points,
)
from mmcount.registry import METRICS
from tests.builders import make_instances, make_sample, run_metric


def compared(img_id, truth, found):
    return make_sample(img_id, gt_instances=truth, pred_instances=found)


def crowd(seed, number):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (number, 2))
    boxes = np.concatenate((corner, corner + rng.uniform(2, 14, (number, 2))), axis=1).reshape(-1, 4)
    return boxes, rng.uniform(-5, 70, (number + seed % 3, 2))


def test_the_metric_is_the_function_over_all_images():
    samples, records = [], []
    for seed, number in enumerate((0, 1, 30, 7)):
        boxes, points = crowd(seed, number)
        gt = make_instances(bboxes=boxes) if number else make_instances(bboxes=np.zeros((0, 4)))
        samples.append(compared(f'{seed}.jpg', gt, make_instances(points=points.reshape(-1, 2))))
        heads = CrowdPoints((boxes[:, :2] + boxes[:, 2:] - 1) / 2, box_sigmas(boxes), box_levels(boxes))
        records.append(score_points(points, heads, (4.0, 8.0)))
    metric = METRICS.build(dict(type='LocalizationMetric', sigmas=(4, 8)))
    metrics = run_metric(metric, samples)
    assert metrics == {f'loc/{key}': value for key, value in localization_errors(records, (4, 8)).items()}
    assert 0 < metrics['loc/F1_s'] < metrics['loc/F1_l'] < 1
    assert metrics['loc/negative_images'] == 1


def test_points_of_the_truth_go_before_the_centres_of_its_boxes():
    gt = make_instances(bboxes=[[0.0, 0.0, 10.0, 10.0]], points=[[50.0, 50.0]])
    assert (
        run_metric(
            LocalizationMetric(),
            [compared('a', gt, make_instances(points=[[53.0, 54.0]]))],
        )['loc/R_s']
        == 1
    )
    assert (
        run_metric(
            LocalizationMetric(),
            [compared('a', gt, make_instances(points=[[4.0, 4.0]]))],
        )['loc/R_l']
        == 0
    )


def test_sigmas_and_levels_of_the_annotations_go_before_those_of_boxes():
    gt = make_instances(points=[[5.0, 5.0], [50.0, 5.0]], sigmas=[[1.0, 2.0], [3.0, 9.0]], levels=[5, 2])
    metrics = run_metric(
        LocalizationMetric(),
        [compared('a', gt, make_instances(points=[[7.0, 5.0], [58.0, 5.0]]))],
    )
    assert (metrics['loc/R_s'], metrics['loc/R_l']) == (0, 1)
    assert (metrics['loc/A2'], metrics['loc/A5']) == (1, 1)
    del gt.levels
    metrics = run_metric(LocalizationMetric(), [compared('a', gt, make_instances(points=[[7.0, 5.0]]))])
    assert metrics['loc/R_l'] == 0.5
    assert 'loc/A_mean' not in metrics


def test_boxes_are_predictions_at_their_centres_from_a_score_on():
    gt = make_instances(bboxes=[[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    boxes = [[1.0, 0.0, 11.0, 10.0], [50.0, 50.0, 60.0, 60.0], [0.0, 0.0, 10.0, 10.0]]
    pred = make_instances(bboxes=boxes, scores=[0.9, 0.35, 0.1])
    metrics = run_metric(LocalizationMetric(), [compared('a', gt, pred)])
    assert (metrics['loc/P_s'], metrics['loc/R_s'], metrics['loc/MAE']) == (1, 1, 0)
    assert run_metric(LocalizationMetric(score_thr=0.5), [compared('a', gt, pred)])['loc/R_s'] == 0.5
    assert run_metric(LocalizationMetric(score_thr=0), [compared('a', gt, pred)])['loc/MAE'] == 1


def test_points_of_a_model_that_counts_are_taken_whatever_their_scores():
    gt = make_instances(bboxes=[[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    made = compared('a', gt, make_instances(points=[[5.0, 5.0], [55.0, 55.0]], scores=[0.25, 0.9]))
    assert run_metric(LocalizationMetric(), [made])['loc/R_s'] == 0.5
    made.pred_counts = torch.tensor([2.0])
    assert run_metric(LocalizationMetric(), [made])['loc/R_s'] == 1
    made.set_metainfo({'count_score_thr': 0.5})  # by which the model itself counts
    assert run_metric(LocalizationMetric(), [made])['loc/R_s'] == 0.5


def test_classes_are_matched_apart():
    gt = make_instances(bboxes=[[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0]])
    gt.labels = torch.tensor([0, 1])
    pred = make_instances(points=[[5.0, 5.0], [55.0, 55.0]])
    metrics = run_metric(LocalizationMetric(), [compared('a', gt, pred)])
    assert (metrics['loc/P_l'], metrics['loc/R_l'], metrics['loc/A1'], metrics['loc/MAE']) == (0.5, 0.5, 0.5, 0)
    pred.labels = torch.tensor([0, 1])
    assert run_metric(LocalizationMetric(), [compared('a', gt, pred)])['loc/F1_l'] == 1


def test_points_alone_are_judged_by_fixed_radii():
    gt, pred = make_instances(points=[[5.0, 5.0]]), make_instances(points=[[9.0, 5.0]])
    metrics = run_metric(LocalizationMetric(sigmas=(3,), sigma_ranges=[(1, 8)]), [compared('a', gt, pred)])
    assert (metrics['loc/F1_sigma3'], metrics['loc/F1_sigma1to8']) == (0, 5 / 8)
    assert 'loc/F1_l' not in metrics
    with pytest.raises(ValueError, match="image a: gt_instances have neither 'bboxes' nor 'sigmas'"):
        run_metric(LocalizationMetric(), [compared('a', gt, pred)])


def test_several_processes_give_the_numbers_of_one(monkeypatch):
    samples = []
    for seed in range(4):
        boxes, points = crowd(seed, 9)
        samples.append(compared(str(seed), make_instances(bboxes=boxes), make_instances(points=points)))
    expected = run_metric(LocalizationMetric(), samples)
    first, second = LocalizationMetric(), LocalizationMetric()
    first.process({}, [one.to_dict() for one in samples[:2]])
    second.process({}, [one.to_dict() for one in samples[2:]])
    monkeypatch.setattr(base, 'all_gather_object', lambda mine: [second.results, mine])
    assert first.evaluate(4) == expected


def test_the_submission_has_a_line_for_each_image(tmp_path):
    path = tmp_path / 'new' / 'loc.txt'
    gt = make_instances(bboxes=[[0.0, 0.0, 9.0, 9.0]])
    samples = [
        compared('images/0002.jpg', gt, make_instances(points=np.zeros((0, 2)))),
        compared('images/0001.jpg', gt, make_instances(points=[[3.9, 5.2], [-0.4, 1234.5]])),
    ]
    run_metric(LocalizationMetric(submission_file=str(path)), samples)
    assert path.read_text() == '0001 2 3 5 0 1234\n0002 0\n'
    assert {name: xy.tolist() for name, xy in read_points(path).items()} == {'0001': [[3, 5], [0, 1234]], '0002': []}
    assert len(list(path.parent.iterdir())) == 1
    samples[0].set_metainfo({'img_id': 'other/0001.png'})
    with pytest.raises(ValueError, match='two images are called 0001'):
        run_metric(LocalizationMetric(submission_file=str(path)), samples)


def test_what_is_missing_or_broken_names_the_image():
    box = make_instances(bboxes=[[0.0, 0.0, 9.0, 9.0]])
    with pytest.raises(ValueError, match="image a: no 'gt_instances'"):
        LocalizationMetric().process({}, [{'img_id': 'a', 'pred_instances': box}])
    with pytest.raises(ValueError, match="image a: no 'pred_instances'"):
        LocalizationMetric().process({}, [{'img_id': 'a', 'gt_instances': box}])
    with pytest.raises(ValueError, match='image a: pred must be finite'):
        run_metric(
            LocalizationMetric(),
            [compared('a', box, make_instances(points=[[np.nan, 1.0]]))],
        )
    with pytest.raises(ValueError, match='rounding must be'):
        LocalizationMetric(sigma_rounding='up')
    with pytest.raises(ValueError, match='finite and not negative'):
        LocalizationMetric(sigmas=(-1,))
