import pytest

from mmcount.evaluation import ClassRMSEMetric
from mmcount.evaluation.metrics import class_rmse_metric
from tests.builders import make_sample, run_metric


def counted(img_id, true, pred):
    return make_sample(img_id, gt_counts=true, pred_counts=pred)


def test_counts_are_rounded_first():
    metrics = run_metric(ClassRMSEMetric(), [counted('a', [1, 0], [1.4, 0.4])])
    assert metrics == {f'count/{name}': 0.0 for name in ('mRMSE', 'mRMSE-nz', 'm-relRMSE', 'm-relRMSE-nz')}


def test_the_golden_vector_and_its_deviation():
    true, pred = [[2, 0, 7], [0, 1, 3], [1, 0, 0], [0, 0, 1]], [[1, 0, 5], [0, 2, 3], [1, 1, 0], [0, 0, 0]]
    samples = [counted(str(index), *pair) for index, pair in enumerate(zip(true, pred, strict=True))]
    metrics = run_metric(ClassRMSEMetric(resamples=10), samples)
    expected = {'mRMSE': 0.775047, 'm-relRMSE': 0.467016, 'mRMSE-nz': 0.999367, 'm-relRMSE-nz': 0.564235}
    assert {name: metrics[f'count/{name}'] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert 0 < metrics['count/mRMSE_std'] < 1
    assert run_metric(ClassRMSEMetric(resamples=10), samples[::-1]) == metrics


def test_counts_are_rounded_and_clamped_by_the_rule_of_a_protocol():
    samples = [counted('a', [0, 1], [-0.6, 0.5])]
    assert run_metric(ClassRMSEMetric(), samples)['count/mRMSE'] == 1.0
    assert run_metric(ClassRMSEMetric(rounding='half_away', clamp=True), samples)['count/mRMSE'] == 0.0
    assert run_metric(ClassRMSEMetric(rounding='none'), samples)['count/mRMSE'] == pytest.approx(0.55)


def test_a_class_that_no_image_holds_is_told_once(monkeypatch):
    told = []
    monkeypatch.setattr(class_rmse_metric, 'print_log', lambda text, **_: told.append(text))
    metric = ClassRMSEMetric()
    for _ in range(2):
        metrics = run_metric(metric, [counted('a', [1, 0, 0], [3, 1, 0])], classes=('cat', 'dog', 'cow'))
        assert metrics['count/mRMSE-nz'] == 2.0
    assert len(told) == 1
    assert '2 of 3 classes (dog, cow)' in told[0]
    run_metric(ClassRMSEMetric(), [counted('a', [1, 2], [1, 2])])
    assert len(told) == 1


def test_options_out_of_range_are_refused_before_training():
    with pytest.raises(ValueError, match='rounding must be one of'):
        ClassRMSEMetric(rounding='up')
    with pytest.raises(ValueError, match='resamples must be 0 or at least 2, got 1'):
        ClassRMSEMetric(resamples=1)
