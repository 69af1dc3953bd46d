import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes, convert_box_type, get_box_type
from mmdet.structures.mask import BitmapMasks

from mmcount.structures import PointBoxes

DIRECTIONS = ('horizontal', 'vertical', 'diagonal')
law = settings(deadline=None, derandomize=True, max_examples=50)
sizes = st.tuples(st.integers(1, 400), st.integers(1, 400))
coords = st.floats(-50, 450, width=32)
point_lists = st.lists(st.tuples(coords, coords), max_size=6)


def image_of(points: list[tuple[int, int]], shape: tuple[int, int]) -> np.ndarray:
    img = np.zeros(shape, dtype=np.uint8)
    for x, y in points:
        img[y, x] = 255
    return img


def lit(img: np.ndarray) -> set[tuple[int, int]]:
    rows, columns = np.nonzero(img)
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


def as_set(boxes: PointBoxes) -> set[tuple[int, int]]:
    return {(round(x), round(y)) for x, y in boxes.tensor.tolist()}


def test_the_box_type_is_registered_under_its_name():
    assert get_box_type('point') == ('point', PointBoxes)


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_flip_moves_points_with_the_pixels(direction):
    points = [(0, 0), (6, 0), (0, 4), (3, 1)]
    boxes = PointBoxes(np.array(points, dtype=np.float32))
    boxes.flip_((5, 7), direction)
    code = {'horizontal': 1, 'vertical': 0, 'diagonal': -1}[direction]
    assert as_set(boxes) == lit(cv2.flip(image_of(points, (5, 7)), code))


@law
@given(point_lists, sizes, st.sampled_from(DIRECTIONS))
def test_flip_twice_is_the_identity_and_keeps_who_is_inside(points, size, direction):
    boxes = PointBoxes(torch.tensor(points, dtype=torch.float64).reshape(-1, 2))
    flipped = boxes.clone()
    flipped.flip_(size, direction)
    # The image is half open: a point exactly on the one border is inside and its mirror image is not.
    edge = ((boxes.tensor + 0.5) == 0).any(-1) | ((boxes.tensor + 0.5) == torch.tensor([size[1], size[0]])).any(-1)
    assert torch.equal(flipped.is_inside(size)[~edge], boxes.is_inside(size)[~edge])
    flipped.flip_(size, direction)
    assert torch.allclose(flipped.tensor, boxes.tensor, atol=1e-9)


def test_flip_of_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match='diagonal'):
        PointBoxes([[0.0, 0.0]]).flip_((4, 4), 'upside-down')


def test_rescale_follows_the_pixel_centres_of_a_resized_image():
    boxes = PointBoxes([[0.0, 0.0], [3.0, 1.0]])
    boxes.rescale_((4, 2))
    # The pixel 0 becomes the pixels 0..3, whose middle is 1.5.
    assert boxes.tensor.tolist() == [[1.5, 0.5], [13.5, 2.5]]


@law
@given(point_lists, sizes, st.floats(0.25, 4), st.floats(0.25, 4))
def test_rescale_is_undone_by_its_inverse_and_keeps_who_is_inside(points, size, sx, sy):
    boxes = PointBoxes(torch.tensor(points, dtype=torch.float64).reshape(-1, 2))
    scaled = boxes.clone()
    scaled.rescale_((sx, sy))
    height, width = size
    far = torch.tensor([width, height]) - 0.5
    safe = (((boxes.tensor + 0.5).abs() > 1e-3) & ((boxes.tensor - far).abs() > 1e-3)).all(-1)
    assert torch.equal(scaled.is_inside((height * sy, width * sx))[safe], boxes.is_inside(size)[safe])
    scaled.rescale_((1 / sx, 1 / sy))
    assert torch.allclose(scaled.tensor, boxes.tensor, atol=1e-6)


def test_the_image_reaches_half_a_pixel_beyond_its_outer_pixel_centres():
    boxes = PointBoxes([[-0.5, -0.5], [-0.51, 0], [6.49, 4.49], [6.5, 0], [0, 4.5]])
    assert boxes.is_inside((5, 7)).tolist() == [True, False, True, False, False]
    assert boxes.is_inside((5, 7), allowed_border=1).all()


def test_clip_moves_no_point_and_marks_those_outside_for_good():
    boxes = PointBoxes([[2.0, 2.0], [7.0, 2.0]])
    boxes.clip_((5, 7))
    assert boxes.tensor[0].tolist() == [2.0, 2.0]
    assert boxes.tensor[1].isnan().all()
    boxes.translate_((-3, 0))
    boxes.rescale_((2, 2))
    boxes.flip_((5, 7))
    boxes.project_(np.eye(3))
    assert boxes.is_inside((1000, 1000)).tolist() == [True, False]


def test_points_pass_size_filters_unless_clipped_away():
    boxes = PointBoxes([[2.0, 2.0], [7.0, 2.0]])
    boxes.clip_((5, 7))
    for sides in (boxes.widths, boxes.heights, boxes.areas):
        assert sides[0] > 1000
        assert sides[1] == 0


def test_translate_and_resize():
    boxes = PointBoxes([[2.0, 2.0]])
    boxes.resize_((3, 3))
    boxes.translate_([5, -1])
    assert boxes.tensor.tolist() == [[7.0, 1.0]]
    with pytest.raises(ValueError, match='distances'):
        boxes.translate_([5])


@pytest.mark.parametrize('angle', [90, 180, 270, 360])
def test_rotate_is_clockwise_on_the_image(angle):
    points = [(0, 0), (4, 1), (2, 3)]
    boxes = PointBoxes(np.array(points, dtype=np.float32))
    boxes.rotate_((2, 2), angle)
    assert as_set(boxes) == lit(np.rot90(image_of(points, (5, 5)), -angle // 90))


def test_project_has_the_convention_of_warp_perspective():
    points = [(3, 4), (20, 9), (14, 27)]
    matrix = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -2.0], [0.0, 0.0, 1.0]]) @ np.diag([2.0, 1.0, 1.0])
    warped = cv2.warpPerspective(image_of(points, (30, 32)), matrix, (64, 30), flags=cv2.INTER_NEAREST)
    boxes = PointBoxes(np.array(points, dtype=np.float32))
    boxes.project_(matrix)
    assert as_set(boxes) <= lit(warped)
    assert boxes.dtype == torch.float32


def test_project_divides_by_the_third_coordinate():
    boxes = PointBoxes([[2.0, 6.0]])
    boxes.project_(torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 2]]))
    assert boxes.tensor.tolist() == [[1.0, 3.0]]


def test_a_point_is_its_pixel_as_a_horizontal_box_and_back():
    points = PointBoxes([[2.0, 3.0], [0.5, 0.0]])
    hboxes = points.convert_to('hbox')
    assert hboxes.tensor.tolist() == [[2, 3, 3, 4], [0.5, 0, 1.5, 1]]
    assert torch.equal(hboxes.convert_to('point').tensor, points.tensor)
    assert torch.equal(hboxes.centers, points.centers)


def test_the_point_of_a_box_is_its_centre_in_pixels():
    assert convert_box_type(np.array([[0.0, 0, 3, 5]]), src_type='hbox', dst_type='point').tolist() == [[1, 2]]


def test_overlaps_and_inside_points_use_the_pixel():
    points = PointBoxes([[2.0, 3.0], [9.0, 9.0]])
    patch = HorizontalBoxes([[0.0, 0.0, 5.0, 5.0]])
    assert torch.allclose(points.overlaps(patch, points), torch.tensor([[1 / 25, 0]]))
    assert points.find_inside_points(torch.tensor([[2.5, 3.5]])).tolist() == [[True, False]]


def test_masks_of_points_and_points_of_masks():
    points = PointBoxes([[2.0, 3.0], [9.0, 9.0], [0.4, 0.6]])
    masks = points.create_masks((5, 6))
    assert masks.masks.sum(axis=(1, 2)).tolist() == [1, 0, 1]
    back = PointBoxes.from_instance_masks(masks)
    assert back.tensor[0].tolist() == [2.0, 3.0]
    assert back.tensor[1].isnan().all()
    assert back.tensor[2].tolist() == [0.0, 1.0]
    square = np.zeros((1, 8, 8), dtype=np.uint8)
    square[0, 2:6, 1:4] = 1
    assert BitmapMasks(square, 8, 8).get_bboxes(PointBoxes).tensor.tolist() == [[2.0, 3.5]]


@pytest.mark.parametrize('empty', [[], np.zeros((0, 2), dtype=np.float32), torch.zeros(0, 2)])
def test_no_points_survive_every_method(empty):
    boxes = PointBoxes(empty, dtype=torch.float32)
    boxes.flip_((4, 5))
    boxes.translate_((1, 1))
    boxes.rescale_((2, 2))
    boxes.clip_((4, 5))
    boxes.rotate_((0, 0), 30)
    boxes.project_(np.eye(3))
    assert boxes.tensor.shape == (0, 2)
    assert len(boxes.create_masks((4, 5))) == 0
    assert boxes.is_inside((4, 5)).shape == (0,)
    assert PointBoxes.cat([boxes, PointBoxes([[1.0, 2.0]])]).tensor.tolist() == [[1, 2]]
    assert boxes.widths.shape == boxes.areas.shape == (0,)


def test_indexing_keeps_the_type_and_a_wrong_width_is_refused():
    boxes = PointBoxes([[0.0, 1.0], [2.0, 3.0]])
    assert isinstance(boxes[np.array([False, True])], PointBoxes)
    assert boxes[torch.tensor([1, 0])].tensor[0].tolist() == [2, 3]
    with pytest.raises(AssertionError, match='last dimension'):
        PointBoxes([[0.0, 1.0, 2.0]])
