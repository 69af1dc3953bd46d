import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.datasets.lego.groups import box_centres, enclosing_boxes, group_objects, overlap_of_smaller


@st.composite
def labelled_boxes(draw):
    number = draw(st.integers(0, 12))
    corner = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 15), st.integers(1, 15))
    rows = [draw(corner) for _ in range(number)]
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in rows], dtype=np.float32).reshape(-1, 4)
    return boxes, np.array([draw(st.integers(0, 1)) for _ in rows], dtype=np.int64)


def reference_groups(boxes, labels, threshold):
    """Merge sets until nothing changes."""
    groups = [{i} for i in range(len(boxes))]

    def linked(a, b):
        return any(
            labels[i] == labels[j] and overlap_of_smaller(boxes[i : i + 1], boxes[j : j + 1])[0, 0] > threshold
            for i in a
            for j in b
        )

    merged = True
    while merged:
        merged = False
        for a in range(len(groups)):
            for b in range(a + 1, len(groups)):
                if linked(groups[a], groups[b]):
                    groups[a] |= groups.pop(b)
                    merged = True
                    break
            if merged:
                break
    return sorted(groups, key=min)


@given(labelled_boxes(), st.sampled_from([0.0, 0.3, 0.5]))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_groups_are_the_connected_sets_of_one_class(sample, threshold):
    boxes, labels = sample
    ids = group_objects(boxes, labels, threshold)
    expected = reference_groups(boxes, labels, threshold)
    assert [set(np.flatnonzero(ids == g)) for g in range(len(expected))] == expected
    enclosing = enclosing_boxes(boxes, ids)
    assert enclosing.shape == (len(expected), 4)
    for members, box in zip(expected, enclosing, strict=True):
        inside = boxes[sorted(members)]
        assert box.tolist() == [*inside[:, :2].min(axis=0), *inside[:, 2:].max(axis=0)]


def test_no_boxes_give_no_groups():
    ids = group_objects(np.empty((0, 4)), np.empty(0, dtype=np.int64), 0.5)
    assert ids.shape == (0,)
    assert enclosing_boxes(np.empty((0, 4)), ids).shape == (0, 4)
    assert box_centres(np.empty((0, 4))).shape == (0, 2)


def test_overlap_is_a_share_of_the_smaller_box():
    boxes = np.array([[0, 0, 10, 10], [8, 0, 12, 5]])
    assert overlap_of_smaller(boxes, boxes)[0, 1] == pytest.approx(10 / 20)


def test_threshold_must_be_exceeded_and_classes_equal():
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4]])
    assert group_objects(boxes, np.zeros(2, int), 0.5).tolist() == [0, 1]
    assert group_objects(boxes, np.zeros(2, int), 0.49).tolist() == [0, 0]
    assert group_objects(boxes, np.array([0, 1]), 0.1).tolist() == [0, 1]


def test_centre_of_a_one_pixel_box_is_that_pixel():
    assert box_centres(np.array([[3, 7, 4, 8]])).tolist() == [[3.0, 7.0]]
