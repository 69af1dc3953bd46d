import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes, get_box_type
from mmdet.structures.mask import BitmapMasks

from mmcount.structures import CountedBoxes

MATRIX = np.array([[0.9, 0.2, 3.0], [-0.1, 1.1, 5.0], [0.0, 0.001, 1.0]])
CALLS = [
    ('flip_', ((60, 80), 'horizontal')),
    ('flip_', ((60, 80), 'diagonal')),
    ('translate_', ((5, -7),)),
    ('clip_', ((30, 40),)),
    ('rotate_', ((10, 20), 30)),
    ('project_', (MATRIX,)),
    ('rescale_', ((0.5, 3),)),
    ('resize_', ((2, 0.25),)),
]


def random_boxes(seed: int, num: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner, side = torch.rand(2, num, 2, generator=generator) * 50
    counts = torch.randint(1, 60, (num, 1), generator=generator).float()
    return torch.cat([corner, corner + side + 1, counts], dim=1)


def test_the_box_type_is_registered_under_its_name():
    assert get_box_type('counted') == ('counted', CountedBoxes)


@pytest.mark.parametrize(('method', 'args'), CALLS)
@settings(deadline=None, derandomize=True, max_examples=10)
@given(seed=st.integers(0, 1000), num=st.integers(0, 5))
def test_geometry_is_that_of_horizontal_boxes_and_the_count_stays(method, args, seed, num):
    data = random_boxes(seed, num)
    boxes, reference = CountedBoxes(data), HorizontalBoxes(data[:, :4])
    getattr(boxes, method)(*args)
    getattr(reference, method)(*args)
    assert torch.equal(boxes.tensor[:, :4], reference.tensor)
    assert torch.equal(boxes.tensor[:, 4], data[:, 4])


def test_sizes_and_tests_of_position_ignore_the_count():
    data = random_boxes(0, 6)
    boxes, reference = CountedBoxes(data), HorizontalBoxes(data[:, :4])
    for name in ('centers', 'widths', 'heights', 'areas'):
        assert torch.equal(getattr(boxes, name), getattr(reference, name))
    points = torch.rand(4, 2) * 60
    assert torch.equal(boxes.is_inside((30, 40)), reference.is_inside((30, 40)))
    assert torch.equal(boxes.is_inside((60, 60), True), reference.is_inside((60, 60), True))
    assert torch.equal(boxes.find_inside_points(points), reference.find_inside_points(points))
    assert torch.equal(boxes.overlaps(boxes, reference), reference.overlaps(reference, reference))
    assert np.array_equal(boxes.create_masks((70, 90)).masks, reference.create_masks((70, 90)).masks)


def test_selecting_and_joining_takes_the_counts_along():
    boxes = CountedBoxes([[0.0, 0, 4, 4, 3], [1, 1, 2, 2, 9], [5, 5, 8, 8, 1]])
    assert boxes[np.array([True, False, True])].counts.tolist() == [3, 1]
    assert boxes[torch.tensor([2, 1])].counts.tolist() == [1, 9]
    assert CountedBoxes.cat([boxes[1], boxes]).counts.tolist() == [9, 3, 9, 1]


def test_conversions_to_boxes_and_points_and_back():
    boxes = CountedBoxes([[0.0, 0, 3, 5, 7]])
    assert boxes.convert_to('hbox').tensor.tolist() == [[0, 0, 3, 5]]
    assert boxes.convert_to('point').tensor.tolist() == [[1, 2]]
    assert HorizontalBoxes([[0.0, 0, 3, 5]]).convert_to('counted').tensor.tolist() == [[0, 0, 3, 5, 1]]


def test_boxes_of_masks_are_refused_because_their_counts_would_be_lost():
    mask = np.zeros((1, 8, 8), dtype=np.uint8)
    mask[0, 2:6, 1:4] = 1
    masks = BitmapMasks(mask, 8, 8)
    with pytest.raises(NotImplementedError, match='do not tell the counts'):
        masks.get_bboxes(CountedBoxes)
    assert masks.get_bboxes('hbox').convert_to('counted').tensor.tolist() == [[1, 2, 4, 6, 1]]


def test_counts_are_whole_numbers_and_no_boxes_have_none():
    assert CountedBoxes([[0.0, 0, 3, 5, 7]]).counts.dtype == torch.int64
    assert CountedBoxes([]).counts.shape == (0,)
