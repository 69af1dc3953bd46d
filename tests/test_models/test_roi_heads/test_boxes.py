import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from mmdet.structures.bbox import bbox_overlaps

from mmcount.models.roi_heads import jitter_boxes, poolable_boxes

ANY = st.one_of(st.floats(width=32), st.floats(-50, 200, width=32))


@settings(max_examples=60, deadline=None)
@given(
    boxes=st.lists(st.tuples(ANY, ANY, ANY, ANY), max_size=6),
    height=st.integers(1, 120),
    width=st.integers(1, 120),
)
def test_any_box_becomes_poolable(boxes, height, width):
    result = poolable_boxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), (height, width))
    assert result.shape == (len(boxes), 4)
    assert bool(result.isfinite().all())
    assert bool((result >= 0).all())
    assert bool((result[:, 0::2] <= width).all())
    assert bool((result[:, 1::2] <= height).all())
    assert bool((result[:, 2:] - result[:, :2] >= 1 - 1e-4).all())


def test_boxes_inside_stay_as_they_are():
    boxes = torch.tensor([[0.0, 0.0, 30.0, 20.0], [3.5, 4.25, 9.0, 6.0]])
    assert poolable_boxes(boxes, (20, 30)).tolist() == boxes.tolist()


def test_jitter_keeps_to_its_limits_and_near_the_boxes():
    torch.manual_seed(0)
    boxes = torch.tensor([[10.0, 20.0, 50.0, 30.0], [0.0, 0.0, 8.0, 16.0]])
    copies = jitter_boxes(boxes, copies=200)
    assert copies.shape == (400, 4)
    centres, sizes = (copies[:, :2] + copies[:, 2:]) / 2, copies[:, 2:] - copies[:, :2]
    whole = boxes.repeat(200, 1)
    true_centres, true_sizes = (whole[:, :2] + whole[:, 2:]) / 2, whole[:, 2:] - whole[:, :2]
    shift, scale = (centres - true_centres) / true_sizes, sizes / true_sizes - 1
    assert 0.14 < float(shift.abs().max()) <= 0.15 + 1e-5
    assert 0.19 < float(scale.abs().max()) <= 0.2 + 1e-5
    ious = bbox_overlaps(copies, whole, is_aligned=True)
    assert float((ious >= 0.5).float().mean()) > 0.9


def test_jitter_of_nothing_and_no_copies():
    assert jitter_boxes(torch.zeros(0, 4), copies=3).shape == (0, 4)
    assert jitter_boxes(torch.ones(2, 4), copies=0).shape == (0, 4)


@pytest.mark.parametrize('options', [dict(copies=-1), dict(copies=1, shift=-0.1), dict(copies=1, scale=1.0)])
def test_bad_jitter_is_refused(options):
    with pytest.raises(ValueError, match='must not be negative'):
        jitter_boxes(torch.ones(1, 4), **options)
