import math

import numpy as np
import pytest

from mmcount.evaluation.functional import box_log_areas, paired_iou, score_sizes, size_errors


def test_areas_below_a_pixel_are_a_pixel():
    boxes = [[0, 0, 0.5, 0.5], [5, 5, 2, 9], [0, 0, 3, 4]]
    np.testing.assert_allclose(box_log_areas(boxes), [0, 0, math.log(12)])
    assert box_log_areas([]).shape == (0,)


def test_overlaps_by_hand():
    first = [[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10], [3, 3, 3, 3]]
    second = [[0, 0, 10, 10], [5, 5, 15, 15], [20, 20, 30, 30], [3, 3, 3, 3]]
    np.testing.assert_allclose(paired_iou(first, second), [1, 25 / 175, 0, 0])


def test_means_are_over_objects_not_images():
    one = score_sizes([[0, 0, 10, 10]] * 3, [[0, 0, 10, 10]] * 3)
    two = score_sizes([[0, 0, 10, 20]], [[0, 0, 10, 10]])
    found = size_errors([one, two, score_sizes([], [])])
    assert found['log_area_MAE'] == pytest.approx(math.log(2) / 4)
    assert found['log_area_bias'] == pytest.approx(math.log(2) / 4)
    assert found['mIoU'] == pytest.approx((3 + 0.5) / 4)
    assert math.isnan(size_errors([score_sizes([], [])])['mIoU'])


def test_wrong_boxes_are_refused():
    with pytest.raises(ValueError, match='got 2 and 1'):
        score_sizes([[0, 0, 1, 1]] * 2, [[0, 0, 1, 1]])
    with pytest.raises(ValueError, match='true box 1 is not finite'):
        score_sizes([[0, 0, 1, 1]] * 2, [[0, 0, 1, 1], [0, 0, math.inf, 1]])
