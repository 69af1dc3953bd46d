"""From a map of log-areas and points to square boxes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs.maps.square_boxes import log_areas_at, smooth_log_areas, square_boxes


def brute_log_areas(scale_map, points, window, step):
    """The definition: cell k of the pooled map is the maximum around pixel k * step."""
    found = []
    for x, y in np.floor(points + 0.5).astype(int).tolist():
        row, column = (
            min(max(v, 0), limit - 1) // step * step for v, limit in zip((y, x), scale_map.shape, strict=True)
        )
        half = window // 2
        part = scale_map[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1]
        found.append(part.max().item())
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 9, 15]), st.integers(1, 8), st.integers(0, 2**31))
def test_the_largest_value_near_a_point_is_that_of_the_definition(height, width, window, step, seed):
    rng = np.random.default_rng(seed)
    scale_map = torch.from_numpy(rng.random((height, width), dtype=np.float32))
    points = rng.uniform(-3, 43, (7, 2))
    found = log_areas_at(scale_map, points, (height, width), window, step)
    assert found.tolist() == brute_log_areas(scale_map, points, window, step)


def test_padding_of_a_map_is_not_seen():
    scale_map = torch.zeros(40, 40)
    scale_map[:, 30:] = 9.0
    assert log_areas_at(scale_map, np.array([[20.0, 5.0]]), (40, 30), 41, 1).tolist() == [0.0]
    assert log_areas_at(scale_map, np.array([[20.0, 5.0]]), (40, 31), 41, 1).tolist() == [9.0]


@pytest.mark.parametrize(('window', 'step'), [(0, 1), (4, 1), (-1, 1), (3, 0)])
def test_wrong_windows_are_refused(window, step):
    with pytest.raises(ValueError, match='window must be odd'):
        log_areas_at(torch.zeros(4, 4), np.zeros((1, 2)), (4, 4), window, step)


def test_smoothing_drops_the_smallest_of_four_and_leaves_up_to_four_points_alone():
    line = np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0], [30.0, 0.0], [40.0, 0.0]])
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    # The middle has four others at 10, 10, 20 and 20: the earlier of the equal ones is taken.
    assert smooth_log_areas(line, values).tolist() == pytest.approx([3, 3, 3, 4, 4])
    assert smooth_log_areas(line[:4], values[:4]).tolist() == [1, 2, 3, 4]
    assert smooth_log_areas(line[:0], values[:0]).tolist() == []


def test_smoothing_of_many_points_at_one_place():
    points = np.repeat([[3.0, 3.0]], 50, axis=0)
    assert smooth_log_areas(points, np.full(50, 4.5)).tolist() == pytest.approx([4.5] * 50)


def test_boxes_are_square_whole_and_inside():
    points = np.array([[50.0, 50.0], [2.0, 50.0], [50.0, 99.0]])
    boxes = square_boxes(points, np.log([81.5, 100.0, 1.0]), (100, 100))
    assert boxes.tolist() == [[46, 46, 55, 55], [0, 45.5, 7.5, 55.5], [47, 96, 54, 100]]
    centres = (boxes[:, :2] + boxes[:, 2:] - 1) / 2
    assert centres[0].tolist() == points[0].tolist()


def test_points_outside_of_the_image_get_boxes_that_are_not_empty():
    boxes = square_boxes(np.array([[-80.0, 5.0], [300.0, 300.0]]), np.array([5.0, 5.0]), (100, 100))
    assert boxes.tolist() == [[0, 0, 6, 11.5], [94, 94, 100, 100]]


def test_the_smallest_box_is_an_option():
    point = np.array([[50.0, 50.0]])
    sides = [square_boxes(point, np.zeros(1), (100, 100), least)[0] for least in (4.0, 2 * np.log(3.5), 0.0)]
    assert [float(box[2] - box[0]) for box in sides] == [7, 3, 1]
