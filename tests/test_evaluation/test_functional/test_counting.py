import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from mmcount.evaluation.functional import (
    count_errors,
    errors_by_count,
    errors_by_range,
    interval_coverage,
    nae,
)

COUNT = st.floats(0, 1000, allow_nan=False)


PAIRS = st.lists(st.tuples(COUNT, st.integers(0, 1000)), min_size=1, max_size=12)


LAWS = settings(deadline=None, derandomize=True, max_examples=50)


def split(pairs):
    pred, true = zip(*pairs, strict=True)
    return np.array(pred), np.array(true, dtype=float)


def test_five_images_by_hand():
    errors = count_errors([3, 8, 23, 5, 1], [2, 10, 20, 5, 0])
    assert errors == pytest.approx(
        {'MAE': 7 / 5, 'RMSE': math.sqrt(3), 'NAE': 0.85 / 4, 'NAE_left_out': 1, 'bias': 0.6, 'std': math.sqrt(2.64)},
        abs=1e-12,
    )


@LAWS
@given(PAIRS)
def test_errors_agree_with_scikit_learn_and_a_plain_loop(pairs):
    pred, true = split(pairs)
    errors = count_errors(pred, true)
    assert errors['MAE'] == pytest.approx(mean_absolute_error(true, pred), abs=1e-9)
    assert errors['RMSE'] == pytest.approx(root_mean_squared_error(true, pred), abs=1e-9)
    ratios = [abs(p - t) / t for p, t in pairs if t > 0]
    assert errors['NAE_left_out'] == len(pairs) - len(ratios)
    if ratios:
        assert errors['NAE'] == pytest.approx(sum(ratios) / len(ratios), rel=1e-9)
    assert errors['RMSE'] ** 2 == pytest.approx(errors['bias'] ** 2 + errors['std'] ** 2, rel=1e-6, abs=1e-9)


@LAWS
@given(PAIRS, st.randoms(use_true_random=False))
def test_order_and_duplication_of_the_set_change_nothing(pairs, random):
    shuffled = [*pairs, *pairs]
    random.shuffle(shuffled)
    once, twice = count_errors(*split(pairs)), count_errors(*split(shuffled))
    once.pop('NAE_left_out')
    twice.pop('NAE_left_out')
    assert once == pytest.approx(twice, rel=1e-9, abs=1e-9, nan_ok=True)


@LAWS
@given(PAIRS, st.integers(0, 100))
def test_a_perfect_image_shrinks_the_error_by_its_share(pairs, count):
    before, after = count_errors(*split(pairs)), count_errors(*split([*pairs, (count, count)]))
    share = len(pairs) / (len(pairs) + 1)
    assert after['MAE'] == pytest.approx(before['MAE'] * share, rel=1e-9, abs=1e-12)
    assert after['bias'] == pytest.approx(before['bias'] * share, rel=1e-9, abs=1e-9)


@LAWS
@given(PAIRS)
def test_ranges_partition_the_images(pairs):
    pred, true = split(pairs)
    table = errors_by_range(pred, true, edges=(0, 10, 100))
    assert sum(images for _, _, images, _ in table) == len(pairs)
    total = sum(images * errors['MAE'] for _, _, images, errors in table)
    assert total / len(pairs) == pytest.approx(count_errors(pred, true)['MAE'], rel=1e-9, abs=1e-12)


def test_a_count_on_an_edge_belongs_to_the_upper_range():
    assert [(low, images) for low, _, images, _ in errors_by_range([1, 1], [9, 10], (0, 10))] == [(0, 1), (10, 1)]


def test_edges_that_do_not_increase_are_refused():
    with pytest.raises(ValueError, match='edges must increase'):
        errors_by_range([1], [1], (0, 10, 10))


def test_images_without_objects_have_no_ratio():
    ratio, left_out = nae([1, 2], [0, 0])
    assert math.isnan(ratio)
    assert left_out == 2


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_counts_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r'pred has a count that is not finite at index \[1\]'):
        count_errors([1, bad], [1, 1])


def test_no_image_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match='at least one image'):
        count_errors([], [])
    with pytest.raises(ValueError, match='one shape'):
        count_errors([1], [1, 2])


@LAWS
@given(st.lists(st.tuples(COUNT, st.integers(0, 5)), min_size=1, max_size=30))
def test_errors_by_count_agree_with_a_plain_loop_and_partition_the_pairs(pairs):
    pred, true = split(pairs)
    table = errors_by_count(pred, true)
    assert [count for count, _, _ in table] == sorted({t for _, t in pairs})
    for count, number, errors in table:
        terms = [p - t for p, t in pairs if t == count]
        assert number == len(terms)
        assert errors['RMSE'] == pytest.approx(math.sqrt(sum(e * e for e in terms) / len(terms)), rel=1e-9, abs=1e-9)
        assert errors['bias'] == pytest.approx(sum(terms) / len(terms), rel=1e-9, abs=1e-9)


def test_errors_by_count_pool_the_classes():
    pred, true = np.array([[0.0, 3.0], [2.0, 4.0]]), np.array([[0, 2], [2, 2]])
    flat = errors_by_count(pred.reshape(-1), true.reshape(-1))
    assert str(errors_by_count(pred, true)) == str(flat)  # as text, since the NAE of images without objects is NaN
    ((_, _, zero), (_, pairs, two)) = errors_by_count(pred, true)
    assert (zero['MAE'], pairs, two['MAE'], two['RMSE']) == (0.0, 3, 1.0, math.sqrt(5 / 3))


def test_errors_by_count_of_nothing_are_refused():
    with pytest.raises(ValueError, match='at least one count'):
        errors_by_count([], [])


def test_bounds_are_inside_the_interval():
    assert interval_coverage([[1, 2], [1, 2], [1, 2]], [1, 2, 2.5]) == (2 / 3, 1.0)


def test_an_inverted_interval_is_refused():
    with pytest.raises(ValueError, match='interval 1 has its lower bound above'):
        interval_coverage([[0, 1], [2, 1]], [0, 0])
