"""Counts of five images that the tests of metrics share."""

import pytest

from tests.builders import make_sample

TRUE = (2, 10, 20, 5, 0)
PRED = (3.0, 8.0, 23.0, 5.0, 1.0)


@pytest.fixture
def five():
    """Builds the five samples, with further fields."""

    def build(**fields):
        pairs = enumerate(zip(TRUE, PRED, strict=True))
        return [make_sample(f'image {i}', gt_counts=true, pred_counts=pred, **fields) for i, (true, pred) in pairs]

    return build
