import json

import pytest
import torch

from mmcount.evaluation import CalibrationMetric, CountMetric, FitCalibration
from mmcount.evaluation.metrics import load_calibration
from tests.builders import make_sample, run_metric


def counted(img_id, true, pred, **fields):
    return make_sample(img_id, gt_counts=true, pred_counts=pred, **fields)


def test_a_model_that_was_never_calibrated_has_no_calibrated_numbers(five):
    assert run_metric(CalibrationMetric(), five()) == {}


def test_calibrated_counts_of_the_model_are_reported():
    samples = [counted('a', 4, 2, pred_calibrated_counts=3.5), counted('b', 1, 1, pred_calibrated_counts=1)]
    metrics = run_metric(CalibrationMetric(), samples)
    assert metrics == pytest.approx(
        {'count/MAE_calibrated': 0.25, 'count/RMSE_calibrated': 0.125**0.5, 'count/bias_calibrated': -0.25}
    )


def test_a_mean_over_a_part_of_the_images_is_not_reported():
    samples = [counted('a', 4, 2, pred_calibrated_counts=3.5), counted('b', 1, 1)]
    assert run_metric(CalibrationMetric(), samples) == {}


def test_coverage_counts_intervals_that_hold_the_truth(five):
    metrics = run_metric(CalibrationMetric(), five(pred_interval=torch.tensor([[0.0, 5.0]])))
    assert metrics == {'count/coverage': 0.6, 'count/interval_width': 5.0}


@pytest.mark.parametrize('interval', [[[5.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [[0.0, float('nan')]]])
def test_an_interval_that_is_none_is_refused(interval):
    with pytest.raises(ValueError, match='image a: pred_interval must hold a lower and an upper bound of each of 1'):
        run_metric(CalibrationMetric(), [counted('a', 1, 1, pred_interval=torch.tensor(interval))])


def test_a_calibrated_count_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match='image a: pred_calibrated_counts is not finite'):
        run_metric(CalibrationMetric(), [counted('a', 1, 1, pred_calibrated_counts=float('inf'))])


def test_a_line_fitted_on_validation_images_is_a_separate_number_of_the_test(tmp_path):
    path = tmp_path / 'new' / 'line.json'
    val = [counted(str(index), 2 * index + 1, index) for index in range(4)]
    assert run_metric(FitCalibration(out_file=str(path)), val) == {}
    assert load_calibration(path).slope == pytest.approx(2)
    assert json.loads(path.read_text())['images'] == 4
    test = [counted('t', 21, 10)]
    assert run_metric(CountMetric(), test)['count/MAE'] == 11
    calibrated = run_metric(CalibrationMetric(calibration_file=str(path)), test)
    assert calibrated['count/MAE_calibrated'] == pytest.approx(0, abs=1e-9)
    assert list(path.parent.iterdir()) == [path]


def test_a_scale_keeps_zero_at_zero(tmp_path):
    path = tmp_path / 'scale.json'
    run_metric(FitCalibration(out_file=str(path), kind='scale'), [counted('a', 4, 2), counted('b', 0, 0)])
    assert json.loads(path.read_text()) == {'kind': 'scale', 'slope': 2.0, 'offset': 0.0, 'images': 2}


def test_a_missing_or_broken_calibration_says_what_to_do_before_any_image(tmp_path):
    with pytest.raises(FileNotFoundError, match='FitCalibration'):
        CalibrationMetric(calibration_file=str(tmp_path / 'no.json'))
    broken = tmp_path / 'broken.json'
    broken.write_text('{"slope": 1}')
    with pytest.raises(ValueError, match=r'broken.json: expected JSON with the numbers "slope" and "offset"'):
        CalibrationMetric(calibration_file=str(broken))


def test_a_kind_of_line_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"kind must be one of \('line', 'scale'\), got 'cubic'"):
        FitCalibration('line.json', kind='cubic')
