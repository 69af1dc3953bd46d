"""Scale maps: boxes to log-areas, and log-areas with points to boxes."""

import numpy as np
import pytest
import torch

from mmcount.codecs import ScaleMapCodec
from mmcount.registry import CODECS
from tests.encoding import decoded, encoded

LABEL = np.array([0])


def boxes_at(points, sides):
    half = np.asarray(sides)[:, None] / 2
    return np.concatenate([points + 0.5 - half, points + 0.5 + half], axis=1)


def test_boxes_are_filled_with_the_log_of_their_area():
    target = encoded(ScaleMapCodec(), np.array([[2.7, 3.2, 6.9, 5.9]]), LABEL, (8, 9))
    assert target.shape == (1, 8, 9)
    assert target.dtype == np.float32
    expected = np.zeros((8, 9), np.float32)
    expected[3:5, 2:6] = np.log(8)
    np.testing.assert_array_equal(target[0], expected)


def test_a_part_outside_of_the_image_counts_for_the_area():
    target = encoded(ScaleMapCodec(), np.array([[-4.0, -2.0, 6.0, 8.0], [30.0, 30.0, 40.0, 40.0]]), np.zeros(2), (9, 9))
    np.testing.assert_allclose(np.unique(target), [0, np.log(100)], rtol=1e-6)
    assert (target > 0).sum() == 6 * 8


@pytest.mark.parametrize(('overlap', 'seen'), [('last', 9), ('smallest', 9), ('largest', 64)])
def test_overlap_rules(overlap, seen):
    boxes = np.array([[0.0, 0.0, 8.0, 8.0], [2.0, 2.0, 5.0, 5.0]])
    codec = ScaleMapCodec(overlap=overlap)
    for order in ([0, 1], [1, 0]):
        target = encoded(codec, boxes[order], np.zeros(2), (8, 8))
        wanted = seen if overlap != 'last' or order == [0, 1] else 64
        assert float(np.exp(target[0, 3, 3])) == pytest.approx(wanted)


def test_boxes_without_area_and_pixels():
    codec = ScaleMapCodec()
    boxes = np.array([[3.0, 3.0, 3.0, 9.0], [5.0, 5.0, 6.0, 6.0], [2.0, 6.0, 1.0, 7.0]])
    assert not encoded(codec, boxes, np.zeros(3), (12, 12)).any()
    assert not encoded(codec, np.zeros((0, 4)), np.zeros(0), (12, 12)).any()


def test_classes_have_channels_and_strides_have_cells():
    codec = ScaleMapCodec(num_classes=2, stride=4)
    target = encoded(codec, np.array([[4.0, 4.0, 12.0, 12.0], [9.0, 1.0, 11.0, 3.0]]), np.array([0, 1]), (15, 17))
    assert target.shape == (2, 4, 5)
    assert np.argwhere(target[0] > 0).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert np.argwhere(target[1] > 0).tolist() == [[0, 2]]  # smaller than a cell
    assert np.exp(target.max(axis=(1, 2))).tolist() == pytest.approx([64, 4])
    outside = np.array([[-9.0, -9.0, -8.0, -8.0], [40.0, 3.0, 41.0, 4.0]])
    assert not encoded(codec, outside, np.zeros(2), (15, 17)).any()


def test_pseudo_boxes_of_a_perfect_map_are_those_computed_by_hand():
    points = np.array([[20.0, 20.0], [50.0, 20.0], [80.0, 20.0], [110.0, 20.0], [140.0, 20.0]])
    boxes = boxes_at(points, [10, 12, 14, 16, 20])
    codec = ScaleMapCodec(window=9, step=4)
    target = torch.from_numpy(encoded(codec, boxes, np.zeros(5), (40, 170)))
    found = decoded(codec, target, (40, 170), points, np.zeros(5))
    # Geometric means of 12, 14 and 16 (13.9) and of 14, 16 and 20 (16.5): whole parts.
    expected = boxes_at(points, [13, 13, 13, 16, 16])
    np.testing.assert_allclose(found.bboxes.numpy(), expected)
    assert found.counts.tolist() == [5]
    assert float(found.density.sum()) == 5
    assert found.points.tolist() == points.tolist()
    alone = decoded(ScaleMapCodec(window=9, step=4, smooth=False), target, (40, 170), points)
    np.testing.assert_allclose(alone.bboxes.numpy(), boxes_at(points, [10, 12, 14, 16, 20]))


def test_rounding_of_the_map_is_that_of_an_image_of_8_bits():
    target = torch.full((1, 32, 32), float(np.log(14**2)))  # 5.28, rounds to 5: e^2.5 = 12.18
    point = np.array([[16.0, 16.0]])
    for round_log, side in ((False, 14), (True, 12)):
        box = decoded(ScaleMapCodec(round_log=round_log), target + 1e-6, (32, 32), point).bboxes[0]
        assert float(box[2] - box[0]) == side


def test_a_window_of_a_coarse_map_is_that_of_the_full_map():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(4, 8, (1, 8, 10)).astype(np.float32))
    fine = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)
    points = rng.uniform(0, 60, (30, 2))
    one = decoded(ScaleMapCodec(window=21, stride=8), coarse, (64, 80), points)
    other = decoded(ScaleMapCodec(window=21), fine, (64, 80), points)
    np.testing.assert_array_equal(one.bboxes, other.bboxes)


def test_classes_are_decoded_apart_and_keep_the_order_of_the_points():
    codec = ScaleMapCodec(window=3, step=1, num_classes=2)
    maps = torch.stack([torch.full((40, 40), np.log(100.5)), torch.full((40, 40), np.log(400.5))])
    points = np.array([[20.0, 20.0], [18.0, 20.0], [22.0, 20.0]])
    found = decoded(codec, maps, (40, 40), points, np.array([1, 0, 1]))
    assert (found.bboxes[:, 2] - found.bboxes[:, 0]).tolist() == [20, 10, 20]
    assert found.counts.tolist() == [1, 2]
    assert found.density.sum(dim=(1, 2)).tolist() == [1, 2]


def test_no_points_and_points_outside_of_the_image():
    codec = ScaleMapCodec()
    none = decoded(codec, torch.zeros(1, 8, 8), (8, 8), np.zeros((0, 2)))
    assert none.bboxes.shape == (0, 4)
    assert none.counts.tolist() == [0]
    outside = decoded(codec, torch.zeros(1, 8, 8), (8, 8), np.array([[-9.0, 20.0]]))
    assert outside.density[0, 7, 0] == 1


@pytest.mark.parametrize(
    ('options', 'message'),
    [(dict(overlap='first'), 'overlap must be'), (dict(window=8), 'window must be odd'), (dict(step=0), 'step')],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CODECS.build(dict(type='mmcount.ScaleMapCodec', **options))


def test_wrong_inputs_are_refused():
    codec = ScaleMapCodec()
    with pytest.raises(ValueError, match='needs crops with no halo'):
        encoded(codec, np.zeros((0, 4)), np.zeros(0), (8, 8), halo=4)
    with pytest.raises(ValueError, match='the codec paints boxes, but the objects are points'):
        encoded(codec, np.zeros((1, 2)), LABEL, (8, 8))
    with pytest.raises(ValueError, match='object 1 must be finite'):
        encoded(codec, np.array([[0, 0, 1, 1], [0, 0, np.nan, 1]]), np.zeros(2), (8, 8))
    with pytest.raises(ValueError, match=r'labels must be in 0\.\.0'):
        encoded(codec, np.zeros((1, 4)), np.array([1]), (8, 8))
    with pytest.raises(ValueError, match='give points'):
        decoded(codec, torch.zeros(1, 8, 8), (8, 8))
    with pytest.raises(ValueError, match='has a map of'):
        decoded(codec, torch.zeros(1, 8, 9), (8, 8), np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r'labels must be in 0\.\.0'):
        decoded(codec, torch.zeros(1, 8, 8), (8, 8), np.zeros((1, 2)), np.array([1]))
