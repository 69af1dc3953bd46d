import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.evaluation.functional import (
    box_containment,
    ellipse_containment,
    pointed_boxes,
)

LAWS = settings(deadline=None, derandomize=True, max_examples=50)


def test_a_pointer_is_judged_by_how_much_of_it_lies_inside():
    ratios = box_containment([[2, 2, 4, 4], [8, 0, 12, 2], [50, 50, 51, 51], [3, 3, 3, 9]], [[0, 0, 10, 10]])
    assert ratios.ravel().tolist() == [1.0, 0.5, 0.0, 0.0]


def test_ellipses_are_judged_as_ellipses():
    # A quarter of the ellipse, not of its box, lies above and left of its centre.
    ratios = ellipse_containment([[5, 5, 3, 2]], [[0, 0, 10, 10], [0, 0, 5, 5], [2, 3, 2.4, 3.3]])
    assert ratios[0].tolist() == [1.0, 0.25, 0.0]
    # Half-plane at half the half-axis: 1/2 + asin(1/2)/pi + sqrt(3)/(4 pi)
    expected = 0.5 + math.asin(0.5) / math.pi + math.sqrt(3) / (4 * math.pi)
    assert ellipse_containment([[0, 0, 2, 1]], [[-9, -9, 1, 9]], 400)[0, 0] == pytest.approx(expected, abs=1e-3)


def test_one_pointer_serves_one_box():
    assert pointed_boxes([[1.0, 1.0]], 0.5).tolist() == [True, False]
    assert pointed_boxes([[1.0, 0.6], [0.9, 0.0]], 0.5).tolist() == [True, False]  # greedy takes the best one
    assert pointed_boxes([[1.0, 0.6], [0.9, 0.0]], 0.5, 'optimal').tolist() == [True, True]
    assert pointed_boxes([[0.5]], 0.5).tolist() == [False]  # more than the threshold
    assert pointed_boxes(np.zeros((0, 2)), 0.5).tolist() == [False, False]
    assert pointed_boxes(np.zeros((2, 0)), 0.5).tolist() == []


@LAWS
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 4))
def test_the_optimal_assignment_hits_at_least_as_many(seed, num_pointers, num_boxes):
    rng = np.random.default_rng(seed)
    ratios = rng.choice([0.0, 0.4, 0.7, 1.0], (num_pointers, num_boxes))
    greedy, optimal = (int(pointed_boxes(ratios, 0.5, how).sum()) for how in ('greedy', 'optimal'))
    assert greedy <= optimal <= min(num_pointers, num_boxes)
    shuffled = ratios[:, rng.permutation(num_boxes)]
    assert int(pointed_boxes(shuffled, 0.5, 'optimal').sum()) == optimal
