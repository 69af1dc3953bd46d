import decimal
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.evaluation.functional import class_rmse_table, mean_class_rmse, resampled_std, round_counts

LAWS = settings(deadline=None, derandomize=True, max_examples=100)
# Whole counts of four images and three classes; the measures were worked out from the published formulas by hand.
TRUE = [[2, 0, 7], [0, 1, 3], [1, 0, 0], [0, 0, 1]]
PRED = [[1, 0, 5], [0, 2, 3], [1, 1, 0], [0, 0, 0]]
EXPECTED = {'mRMSE': 0.775047, 'm-relRMSE': 0.467016, 'mRMSE-nz': 0.999367, 'm-relRMSE-nz': 0.564235}


@pytest.mark.parametrize('rounding', ['half_even', 'half_away', 'none'])
def test_the_golden_vector(rounding):
    assert class_rmse_table(PRED, TRUE, rounding) == pytest.approx(EXPECTED, abs=1e-5)


def test_predictions_are_rounded_by_the_rule_that_is_asked_for():
    shifted = np.array(PRED) + np.where(np.array(TRUE) > 1, 0.3, -0.3)
    assert class_rmse_table(shifted, TRUE) == pytest.approx(EXPECTED, abs=1e-5)
    assert mean_class_rmse(shifted, TRUE, rounding='none') != pytest.approx(EXPECTED['mRMSE'], abs=1e-2)
    # 0.5, 1.5, -0.5 and -1.5 objects where there is none.
    half = [[0.5], [1.5], [-0.5], [-1.5]]
    for options, squares in (
        ({'rounding': 'half_even'}, [0, 4, 0, 4]),
        ({'rounding': 'half_away'}, [1, 4, 1, 4]),
        ({'rounding': 'half_away', 'clamp': True}, [1, 4, 0, 0]),
        ({'rounding': 'none', 'clamp': True}, [0.25, 2.25, 0, 0]),
    ):
        assert mean_class_rmse(half, np.zeros((4, 1)), **options) == pytest.approx(math.sqrt(sum(squares) / 4))


@LAWS
@given(st.one_of(st.floats(-1e6, 1e6), st.integers(-9, 9).map(lambda n: n + 0.5)))
def test_rounding_agrees_with_decimal_arithmetic(value):
    exact = decimal.Decimal(value)
    assert round_counts(value, 'half_even') == float(exact.quantize(1, decimal.ROUND_HALF_EVEN))
    assert round_counts(value, 'half_away') == float(exact.quantize(1, decimal.ROUND_HALF_UP))
    assert round_counts(value, 'none') == value
    assert round_counts(value, 'half_away', clamp=True) == max(0.0, float(exact.quantize(1, decimal.ROUND_HALF_UP)))


def test_the_number_just_below_one_half_is_rounded_down():
    assert round_counts(np.nextafter(0.5, 0), 'half_away') == 0.0


def test_another_rounding_is_refused():
    with pytest.raises(ValueError, match=r"rounding must be one of .* got 'up'"):
        round_counts([1], 'up')


@pytest.mark.parametrize('relative', [False, True])
@pytest.mark.parametrize('nonzero', [False, True])
def test_class_rmse_agrees_with_a_plain_loop(relative, nonzero):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, (20, 4)).astype(float)
    true[:, 3] = 0  # a class that no image holds
    pred = true + rng.normal(0, 1, true.shape)
    values = []
    for column in range(4):
        terms = [
            (round(p) - t) ** 2 / ((t + 1) if relative else 1)
            for p, t in zip(pred[:, column], true[:, column], strict=True)
            if not (nonzero and t == 0)
        ]
        if terms:
            values.append(math.sqrt(sum(terms) / len(terms)))
    assert len(values) == (3 if nonzero else 4)
    assert mean_class_rmse(pred, true, relative, nonzero) == pytest.approx(sum(values) / len(values), abs=1e-9)


def test_class_rmse_without_any_object_has_no_nonzero_form():
    assert math.isnan(mean_class_rmse([[1.0, 2.0]], [[0, 0]], nonzero=True))


def test_counts_of_one_class_need_two_axes():
    with pytest.raises(ValueError, match=r'counts must be \(T, C\)'):
        mean_class_rmse([1, 2], [1, 2])


def test_samples_are_parts_of_the_images_and_repeat_with_the_seed():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, (50, 3)).astype(float)
    pred = true + rng.normal(0, 2, true.shape)
    seen = []

    def measure(some_pred, some_true):
        seen.append(len({tuple(row) for row in some_pred}))
        assert some_pred.shape == some_true.shape == (40, 3)
        return class_rmse_table(some_pred, some_true)

    first = resampled_std(measure, pred, true)
    assert seen == [40] * 10  # no image twice
    assert set(first) == set(EXPECTED)
    assert all(value > 0 for value in first.values())
    assert resampled_std(class_rmse_table, pred, true) == first
    assert resampled_std(class_rmse_table, pred, true, seed=1) != first
    # Samples of all images are all the same set.
    assert resampled_std(class_rmse_table, pred, true, share=1.0) == pytest.approx(
        dict.fromkeys(EXPECTED, 0), abs=1e-12
    )


def test_the_deviation_is_that_of_the_samples():
    values = iter([1.0, 2.0, 4.0])
    deviation = resampled_std(lambda *_: {'x': next(values)}, [[1]] * 4, [[1]] * 4, times=3)
    assert deviation['x'] == pytest.approx(np.std([1, 2, 4], ddof=1))


@pytest.mark.parametrize('options', [{'times': 1}, {'share': 0.0}, {'share': 1.5}])
def test_samples_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError, match='at least 2 samples of a share'):
        resampled_std(class_rmse_table, [[1]], [[1]], **options)
