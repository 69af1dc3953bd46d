import csv
import math

import cv2
import pytest

from mmcount.evaluation import CountValueMetric
from tests.builders import make_sample, run_metric


def counted(img_id, true, pred):
    return make_sample(img_id, gt_counts=true, pred_counts=pred)


def test_errors_are_of_pairs_of_image_and_class(tmp_path):
    """Pairs (true, pred): (0, 0), (0, 2), (3, 1), (3, 4), (9, 5)."""
    files = [str(tmp_path / 'new' / 'counts.csv'), str(tmp_path / 'new' / 'counts.png')]
    samples = [counted('a', [0, 3], [0, 1]), counted('b', [0, 3], [2, 4.4]), counted('c', [9, 9], [5, 5])]
    metrics = run_metric(CountValueMetric(values=range(4), out_file=files), samples)
    assert metrics['count/pairs_count0'] == metrics['count/pairs_count3'] == 2
    assert metrics['count/RMSE_count0'] == pytest.approx(math.sqrt(2))
    assert (metrics['count/MAE_count3'], metrics['count/bias_count3']) == (1.5, -0.5)
    assert not any('count1' in key or 'count9' in key for key in metrics)
    with open(files[0], newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [(row['gt'], row['pairs'], row['MAE'], row['bias']) for row in rows] == [
        ('0', '2', '1', '1'),
        ('3', '2', '1.5', '-0.5'),
        ('9', '2', '4', '-4'),
    ]
    assert cv2.imread(files[1]) is not None
    assert len(list((tmp_path / 'new').iterdir())) == 2


def test_counts_are_rounded_and_clamped_by_the_rule_of_a_protocol():
    samples = [counted('a', [0, 1], [-0.6, 0.5])]
    assert run_metric(CountValueMetric(values=(0,)), samples)['count/bias_count0'] == -1.0
    clamped = CountValueMetric(values=(0,), rounding='half_away', clamp=True)
    assert run_metric(clamped, samples)['count/bias_count0'] == 0.0
    raw = run_metric(CountValueMetric(values=(0,), rounding='none'), samples)
    assert raw['count/bias_count0'] == pytest.approx(-0.6)


def test_options_that_cannot_be_are_refused_before_training():
    with pytest.raises(ValueError, match=r'errors\.txt: errors by count are written'):
        CountValueMetric(out_file='errors.txt')
    with pytest.raises(ValueError, match='rounding must be one of'):
        CountValueMetric(values=(1,), rounding='up')
    with pytest.raises(ValueError, match="give it 'values', 'out_file' or both"):
        CountValueMetric()
