import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from mmcount.evaluation.functional import (
    ranked_precision,
    subitizing_table,
)

LAWS = settings(deadline=None, derandomize=True, max_examples=50)


def test_the_last_count_is_open_and_the_mean_is_over_counts():
    rows = {row['count']: row for row in subitizing_table([7, 4, 0, 1, 1, 1], [4, 9, 0, 1, 1, 2])}
    assert rows['4+']['accuracy'] == 1.0
    assert rows['1']['accuracy'] == 1.0
    assert rows['2']['accuracy'] == 0.0
    assert math.isnan(rows['3']['accuracy'])
    assert rows['mean']['accuracy'] == pytest.approx((1 + 1 + 0 + 1) / 4)
    with pytest.raises(ValueError, match='agree in number'):
        subitizing_table([1], [1, 2])
    with pytest.raises(ValueError, match='finite counts of 0 or more'):
        subitizing_table([-1], [1])
    with pytest.raises(ValueError, match=r'scores must be \(1, 5\)'):
        subitizing_table([1], [1], scores=[[1, 2]])


@LAWS
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.7]), st.booleans()), min_size=1, max_size=20))
def test_average_precision_of_a_ranking_is_scikit_learns(pairs):
    scores, positive = zip(*pairs, strict=True)
    if any(positive):
        assert ranked_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))
    else:
        assert math.isnan(ranked_precision(scores, positive))
