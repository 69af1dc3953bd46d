"""Calibration on validation counts."""

import numpy as np
import pytest
import torch

from mmcount.models.layers import CountCalibration, fit_interval_scale, fit_line


def test_a_line_is_recovered():
    predicted = np.array([0.0, 10.0, 20.0, 50.0])
    scale, offset = fit_line(predicted, 1.2 * predicted + 3)
    assert scale == pytest.approx(1.2)
    assert offset == pytest.approx(3)


def test_equal_predictions_move_only_the_mean():
    assert fit_line(np.array([5.0, 5.0]), np.array([6.0, 8.0])) == (1.0, 2.0)


def test_a_falling_line_is_not_believed():
    scale, offset = fit_line(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]))
    assert (scale, offset) == (1.0, 0.0)


def test_no_images_change_nothing():
    assert fit_line(np.zeros(0), np.zeros(0)) == (1.0, 0.0)


def test_the_interval_covers_its_share_of_unseen_images():
    rng = np.random.default_rng(0)
    spreads = rng.uniform(1, 5, 4000)
    errors = np.abs(rng.normal(size=4000)) * spreads * 2
    scale = fit_interval_scale(errors[:2000], spreads[:2000], coverage=0.9)
    covered = (errors[2000:] <= scale * spreads[2000:]).mean()
    assert covered == pytest.approx(0.9, abs=0.02)


def test_calibrated_counts_and_interval_follow_the_fit():
    calibration = CountCalibration(1)
    predicted = np.arange(10.0, 30.0)[:, None]
    calibration.fit(predicted, 2 * predicted + 1, np.ones((20, 1)))
    counts, interval = calibration(torch.tensor([40.0]), torch.tensor([1.0]))
    assert counts.tolist() == pytest.approx([81.0], abs=1e-4)
    assert interval[0, 0] <= counts[0] <= interval[0, 1]
    assert bool(calibration.fitted)


def test_counts_and_bounds_are_never_negative():
    calibration = CountCalibration(1)
    calibration.offset.fill_(-5)
    calibration.interval_scale.fill_(1)
    calibration.fitted.fill_(True)
    counts, interval = calibration(torch.tensor([2.0]), torch.tensor([3.0]))
    assert counts.tolist() == [0]
    assert interval[0, 0] == 0


def test_before_a_fit_there_is_nothing():
    assert CountCalibration(2)(torch.tensor([2.0, 3.5]), torch.ones(2)) == (None, None)


def test_too_few_images_give_no_interval():
    calibration, predicted = CountCalibration(1), np.arange(10.0, 18.0)[:, None]
    calibration.fit(predicted, predicted, np.ones((8, 1)), coverage=0.9)
    counts, interval = calibration(torch.tensor([4.0]), torch.tensor([1.0]))
    assert counts.tolist() == [4]
    assert interval is None
    nine = np.arange(10.0, 19.0)[:, None]
    calibration.fit(nine, nine, np.ones((9, 1)), coverage=0.9)
    assert calibration(torch.tensor([4.0]), torch.tensor([1.0]))[1] is not None


def test_a_spread_of_zero_gives_no_interval():
    calibration, predicted = CountCalibration(1), np.arange(20.0)[:, None]
    calibration.fit(predicted, predicted, np.ones((20, 1)))
    assert calibration(torch.tensor([4.0]), torch.zeros(1))[1] is None


def test_state_survives_a_checkpoint():
    one, other = CountCalibration(1), CountCalibration(1)
    one.fit(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]), None)
    other.load_state_dict(one.state_dict())
    assert other.scale.tolist() == pytest.approx([2.0])


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match='two'):
        CountCalibration(1).fit(np.zeros((2, 1)), np.zeros((3, 1)), None)
    with pytest.raises(ValueError, match='no validation image'):
        fit_interval_scale(np.zeros(0), np.zeros(0), 0.9)
