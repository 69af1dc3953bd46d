import numpy as np
import pytest

from mmcount.evaluation.metrics import SubitizingMetric
from tests.builders import make_sample


def test_subitizing_reports_accuracy_and_average_precision(tmp_path):
    metric = SubitizingMetric(max_count=2, table_file=str(tmp_path / 'table.csv'))
    scores = [[0.9, 0, 0], [0, 0.4, 0.5], [0, 0, 0.9], [0, 0.1, 0.3]]
    truth = [0, 1, 2, 5]
    for index, (row, true) in enumerate(zip(scores, truth, strict=True)):
        metric.process({}, [make_sample(str(index), gt_counts=true, pred_counts=np.argmax(row), pred_count_scores=row)])
    found = metric.evaluate(size=4)
    assert found['subitizing/accuracy_1'] == 0.0
    assert found['subitizing/accuracy_2+'] == 1.0
    assert found['subitizing/accuracy'] == pytest.approx(2 / 3)
    assert found['subitizing/AP_1'] == 1.0
    assert found['subitizing/AP_2+'] == pytest.approx((1 + 2 / 3) / 2)
    assert (tmp_path / 'table.csv').read_text().startswith('count,images,accuracy,AP\n0,1,1.0,1.0\n')
    with pytest.raises(ValueError, match='image x: pred_count_scores has 2 counts, expected 3'):
        metric.process({}, [make_sample('x', gt_counts=1, pred_counts=1, pred_count_scores=[0, 1])])
