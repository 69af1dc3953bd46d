"""The NWPU-Crowd protocol: hand-made scenes, and a brute force over all images at once."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.evaluation.functional import (
    CrowdPoints,
    box_levels,
    box_sigmas,
    fixed_radii,
    found_points,
    localization_errors,
    precision_recall_f1,
    score_points,
)


def heads_of(bboxes, announced=None):
    boxes = np.asarray(bboxes, dtype=float).reshape(-1, 4)
    return CrowdPoints((boxes[:, :2] + boxes[:, 2:]) / 2, box_sigmas(boxes), box_levels(boxes), announced)


def brute_force_found(pred, points, radius):
    """Depth-first augmenting paths on all distances, predictions in order, heads ascending."""
    pred_of = {}

    def augment(index, visited):
        for head in range(len(points)):
            if math.dist(pred[index], points[head]) <= radius[head] and head not in visited:
                visited.add(head)
                if head not in pred_of or augment(pred_of[head], visited):
                    pred_of[head] = index
                    return True
        return False

    for index in range(len(pred)):
        augment(index, set())
    return [head in pred_of for head in range(len(points))]


def test_sigmas_and_levels_of_boxes():
    assert box_sigmas([[10, 10, 16, 18], [0, 0, 3, 3]]).tolist() == [[3, 5], [1.5, math.hypot(3, 3) / 2]]
    assert box_sigmas([[0, 0, 3, 3]], 'nearest').tolist() == [[2, 2]]
    assert box_sigmas([[0, 0, 3, 3]], 'truncate').tolist() == [[1, 2]]
    assert box_sigmas([]).shape == (0, 2)
    areas = [0, 10, 10.5, 100, 101, 1e3, 1e4, 1e5, 1e5 + 1]
    assert box_levels([[0, 0, 1, area] for area in areas]).tolist() == [0, 0, 1, 1, 2, 2, 3, 4, 5]
    with pytest.raises(ValueError, match='rounding must be'):
        box_sigmas([[0, 0, 3, 3]], 'ceil')


def test_a_scene_by_hand():
    """Two images: radii 3 and 5 px, 30 and 50 px; one head of each is found, one only under the larger radius."""
    first = heads_of([[7, 6, 13, 14], [70, 60, 130, 140]])  # centres (10, 10) and (100, 100)
    second = heads_of([[47, 46, 53, 54]])
    records = [
        score_points([[13, 10], [100, 145], [300, 300]], first),  # 3 px: at the radius itself; 45 px; far away
        score_points([[50, 54]], second),  # 4 px
        score_points([[5, 5], [6, 6]], heads_of([])),
    ]
    metrics = localization_errors(records)
    assert records[0]['adaptive'].tolist() == [1, 2]
    # Six predictions, three heads.
    assert (metrics['P_s'], metrics['R_s'], metrics['F1_s']) == pytest.approx((1 / 6, 1 / 3, 2 / 9))
    assert (metrics['P_l'], metrics['R_l'], metrics['F1_l']) == pytest.approx((1 / 2, 1, 2 / 3))
    assert {key: metrics[key] for key in metrics if key[0] == 'A'} == {'A1': 1.0, 'A3': 1.0, 'A_mean': 1.0}
    assert metrics['MAE'] == pytest.approx((1 + 0 + 2) / 3)
    assert metrics['MSE'] == pytest.approx(math.sqrt((1 + 0 + 4) / 3))
    assert metrics['NAE'] == pytest.approx((1 / 2 + 0) / 2)
    assert (metrics['negative_images'], metrics['negative_MAE'], metrics['negative_MSE']) == (1, 2, 2)


def test_ratios_are_pooled_over_the_images_and_not_averaged():
    one = score_points([[0, 0]], CrowdPoints(np.zeros((1, 2))), sigmas=(1,))
    many = score_points(np.full((9, 2), 50.0), CrowdPoints(np.zeros((9, 2))), sigmas=(1,))
    assert localization_errors([one, many], sigmas=(1,))['F1_sigma1'] == pytest.approx(0.1)


def test_fixed_radii_and_their_means():
    heads = CrowdPoints(np.array([[0.0, 0.0], [100.0, 0.0]]))
    record = score_points([[2, 0], [100, 4]], heads, fixed_radii(sigmas=(4, 8, 2.5), sigma_ranges=[(1, 4)]))
    metrics = localization_errors([record], sigmas=(4, 8, 2.5), sigma_ranges=[(1, 4)])
    # At 1, 2, 3, 4 px 0, 1, 1 and 2 heads are found.
    assert metrics['F1_sigma1to4'] == pytest.approx((0 + 0.5 + 0.5 + 1) / 4)
    assert (metrics['R_sigma2.5'], metrics['R_sigma4'], metrics['R_sigma8']) == (0.5, 1, 1)
    assert 'F1_sigma1' not in metrics
    assert 'F1_l' not in metrics


@st.composite
def data_sets(draw):
    """Up to four images on a small integer grid: ties, coincident points, and points outside of it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    images = []
    for _ in range(draw(st.integers(1, 4))):
        num_pred, num_gt = draw(st.integers(0, 14)), draw(st.sampled_from((0, 1, 2, 12)))
        side = draw(st.sampled_from((5, 20)))
        pred = rng.integers(-3, side + 3, (num_pred, 2)).astype(float)
        corner = rng.integers(0, side, (num_gt, 2))
        boxes = np.concatenate((corner, corner + rng.integers(1, 14, (num_gt, 2))), axis=1).astype(float)
        if draw(st.booleans()):
            pred += rng.random((num_pred, 2))
        images.append((pred, boxes))
    return images


@settings(deadline=None, derandomize=True, max_examples=60)
@given(images=data_sets())
def test_all_numbers_equal_a_brute_force(images):
    metrics = localization_errors([score_points(pred, heads_of(boxes), (3.0,)) for pred, boxes in images], (3.0,))
    num_pred, num_gt = (sum(len(image[index]) for image in images) for index in (0, 1))
    found = {'s': 0, 'l': 0, 'sigma3': 0}
    level_found, level_listed = np.zeros(6), np.zeros(6)
    for pred, boxes in images:
        heads = heads_of(boxes)
        for name, radius in (('s', heads.sigmas[:, 0]), ('l', heads.sigmas[:, 1]), ('sigma3', np.full(len(boxes), 3))):
            mask = brute_force_found(pred, heads.points, radius)
            found[name] += sum(mask)
            if name == 'l':
                for level, hit in zip(heads.levels, mask, strict=True):
                    level_listed[level] += 1
                    level_found[level] += hit
    for name, matched in found.items():
        assert metrics[f'P_{name}'] == pytest.approx(matched / num_pred if num_pred else 0)
        assert metrics[f'R_{name}'] == pytest.approx(matched / num_gt if num_gt else 0)
        f1 = 2 * matched / (num_pred + num_gt) if num_pred + num_gt else 0
        assert metrics[f'F1_{name}'] == pytest.approx(f1)
    for level in range(6):
        assert (f'A{level}' in metrics) == (level_listed[level] > 0)
        if level_listed[level]:
            assert metrics[f'A{level}'] == pytest.approx(level_found[level] / level_listed[level])
    errors = np.array([len(pred) - len(boxes) for pred, boxes in images])
    assert metrics['MAE'] == pytest.approx(np.abs(errors).mean())
    assert metrics['MSE'] == pytest.approx(np.sqrt((errors**2).mean()))
    ratios = [abs(len(pred) - len(boxes)) / len(boxes) for pred, boxes in images if len(boxes)]
    assert metrics.get('NAE') == (pytest.approx(np.mean(ratios)) if ratios else None)
    assert metrics['negative_images'] == len(images) - len(ratios)


def test_the_set_of_found_heads_is_that_of_the_search_in_order():
    # Both predictions reach both heads; the third reaches none. The first head found stays found.
    assert found_points([[0, 0], [50, 50]], [[1, 0], [0, 1]], 5).tolist() == [True, False]
    assert found_points([[0, 0], [0, 0]], [[1, 0], [0, 1]], 5).tolist() == [True, True]


def test_duplicates_match_once_each():
    heads = CrowdPoints(np.zeros((3, 2)))
    assert score_points(np.zeros((5, 2)), heads, sigmas=(0, 4))['fixed'].tolist() == [3, 3]
    assert score_points(np.zeros((1, 2)), heads, sigmas=(0, 4))['fixed'].tolist() == [1, 1]


def test_nothing_predicted_nothing_there_and_one_head():
    assert precision_recall_f1(0, 0, 0) == (0, 0, 0)
    nothing = localization_errors([score_points([], heads_of([]))])
    assert (nothing['F1_l'], nothing['MAE'], nothing['negative_MAE']) == (0, 0, 0)
    assert 'NAE' not in nothing
    missed = localization_errors([score_points([], heads_of([[0, 0, 4, 4]]))])
    assert (missed['P_l'], missed['R_l'], missed['F1_l'], missed['NAE'], missed['A1']) == (0, 0, 0, 1, 0)
    assert 'negative_MAE' not in missed
    found = localization_errors([score_points([[2, 2]], heads_of([[0, 0, 4, 4]]))])
    assert (found['P_s'], found['R_s'], found['F1_s'], found['MAE']) == (1, 1, 1, 0)


def test_heads_with_a_negative_radius_are_missed():
    heads = CrowdPoints(np.array([[0.0, 0.0], [9.0, 9.0]]), np.array([[-1.0, -1.0], [0.0, 0.0]]), np.array([0, 0]))
    assert score_points([[0, 0], [9, 9]], heads)['adaptive'].tolist() == [1, 1]


def test_counting_goes_by_the_announced_number():
    metrics = localization_errors([score_points([[2, 2]], heads_of([[0, 0, 4, 4]], announced=3))])
    assert (metrics['R_l'], metrics['MAE'], metrics['NAE']) == (1, 2, 2 / 3)


def test_a_crowd_of_13000_heads():
    rng = np.random.default_rng(0)
    corner = rng.random((13000, 2)) * 3000
    heads = heads_of(np.concatenate((corner, corner + rng.uniform(3, 20, (13000, 1))), axis=1))
    record = score_points(heads.points[rng.permutation(13000)], heads)
    assert record['adaptive'].tolist() == [13000, 13000]


def test_wrong_inputs_are_refused():
    points = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r'2 points need sigmas of shape \(2, 2\), got \(2,\)'):
        score_points([], CrowdPoints(points, np.ones(2)))
    with pytest.raises(ValueError, match=r'levels must be in 0\.\.5, got 0\.\.6'):
        score_points([], CrowdPoints(points, points, np.array([0, 6])))
    with pytest.raises(ValueError, match=r'2 points need levels of shape \(2,\)'):
        score_points([], CrowdPoints(points, points, np.array([0])))
    with pytest.raises(ValueError, match=r'points must be \(N, 2\)'):
        score_points([], CrowdPoints(np.zeros((2, 3))))
    with pytest.raises(ValueError, match='pred must be finite'):
        score_points([[math.nan, 0]], CrowdPoints(points, points))
    with pytest.raises(ValueError, match='radius must be finite'):
        score_points([[0, 0]], CrowdPoints(points, points * math.nan))
    with pytest.raises(ValueError, match='no image was evaluated'):
        localization_errors([])
    with pytest.raises(ValueError, match='2 fixed radii are to be reported'):
        localization_errors([score_points([], CrowdPoints(points), (4,))], (4, 8))
    with pytest.raises(ValueError, match='1 of 2 images have sigmas and the others have not'):
        localization_errors([score_points([], CrowdPoints(points)), score_points([], CrowdPoints(points, points))])
    with pytest.raises(ValueError, match='first <= last'):
        fixed_radii(sigma_ranges=[(5, 4)])
    with pytest.raises(ValueError, match='finite and not negative'):
        fixed_radii(sigmas=[-1])
