import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.evaluation.functional import (
    fit_line_calibration,
    fit_scale_calibration,
)

COUNT = st.floats(0, 1000, allow_nan=False)


PAIRS = st.lists(st.tuples(COUNT, st.integers(0, 1000)), min_size=1, max_size=12)


LAWS = settings(deadline=None, derandomize=True, max_examples=50)


def split(pairs):
    pred, true = zip(*pairs, strict=True)
    return np.array(pred), np.array(true, dtype=float)


@LAWS
@given(PAIRS)
def test_line_is_the_least_squares_fit_and_never_hurts_on_its_own_images(pairs):
    pred, true = split(pairs)
    line = fit_line_calibration(pred, true)
    fitted = line.slope * pred + line.offset
    assert np.square(fitted - true).mean() <= np.square(pred - true).mean() * (1 + 1e-9) + 1e-6
    if len(pred) > 1 and np.ptp(pred) > 1:
        assert [line.slope, line.offset] == pytest.approx(np.polyfit(pred, true, 1), rel=1e-5, abs=1e-5)


def test_predictions_that_are_alike_only_move_the_mean():
    line = fit_line_calibration([5, 5, 5], [1, 2, 6])
    assert (line.slope, line.offset) == (1.0, -2.0)


def test_scale_of_predictions_that_are_all_zero_stays_one():
    assert fit_scale_calibration([0, 0], [1, 2]).slope == 1.0


def test_calibrated_counts_are_never_negative():
    assert fit_line_calibration([10, 20], [0, 10]).apply([0, 15]).tolist() == [0.0, 5.0]
