"""The code of the pages that say how to add a part runs as it is printed."""

import re

import pytest

from mmcount.registry import METRICS
from tests.builders import ROOT, make_sample, run_metric


@pytest.fixture
def near_count():
    page = (ROOT / 'docs' / 'en' / 'howto' / 'add_a_metric.md').read_text()
    names = {}
    exec(re.search(r'```python\n(import numpy.*?)```', page, re.DOTALL).group(1), names)
    yield names['NearCount']
    METRICS.module_dict.pop('NearCount')


def test_the_metric_of_its_page_counts_images_that_are_nearly_right(near_count):
    metric = METRICS.build(dict(type='mmcount.NearCount'))
    samples = [make_sample(str(i), gt_counts=10, pred_counts=pred) for i, pred in enumerate((9.5, 11, 12))]
    assert type(metric) is near_count
    assert run_metric(metric, samples) == {'count/near': pytest.approx(2 / 3)}
