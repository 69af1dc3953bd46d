import math

import numpy as np
import pytest

from mmcount.datasets.lego.classes import LegoClass, class_table, single_digit_classes
from mmcount.datasets.lego.options import SceneOptions
from mmcount.datasets.lego.parts import DigitParts, load_parts
from mmcount.datasets.lego.render import light, render_object

PLAIN = {
    'scale_range': (1, 1),
    'orient_range': (0, 0),
    'part_scale_range': (1, 1),
    'part_shear': 0,
    'gain_range': (1, 1),
}


def square_parts(side):
    """Digits that are full squares, so that sizes can be checked exactly."""
    images = np.zeros((10, side + 4, side + 4), dtype=np.uint8)
    images[:, 2:-2, 2:-2] = 255
    return DigitParts.from_arrays(images, np.arange(10), 'squares')


def render(kind, seed=0, parts=None, **options):
    options = SceneOptions(canvas=(400, 400), **{**PLAIN, **options})
    return render_object(kind, parts or load_parts(), options, np.random.default_rng(seed))


def test_tile_is_tight_and_holds_the_parts():
    for seed, kind in enumerate(class_table()):
        item = render(kind, seed, scale_range=(0.7, 1.3), orient_range=(-15, 15), part_shear=0.1)
        ink = item.tile > 0
        assert ink[0].any() and ink[-1].any() and ink[:, 0].any() and ink[:, -1].any()  # noqa: PT018
        np.testing.assert_array_equal(item.tile, np.maximum.reduce(item.part_tiles))
        for tile, (x1, y1, x2, y2) in zip(item.part_tiles, item.part_boxes, strict=True):
            ys, xs = np.nonzero(tile)
            assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x1, y1, x2, y2)


@pytest.mark.parametrize('side', [8, 20, 56])
@pytest.mark.parametrize('scale', [0.5, 1.0, 3.0])
def test_square_of_any_source_size_gets_the_part_size(side, scale):
    item = render(single_digit_classes()[3], parts=square_parts(side), part_size=20, scale_range=(scale, scale))
    # Bilinear edges above the ink threshold widen the square by less than a source pixel.
    slack = 2 + 2 * scale * 20 / side
    assert max(abs(np.array(item.tile.shape) - 20 * scale)) <= slack


def test_parts_sit_at_their_offsets():
    for layout in ('row', 'column', 'corner', 'triangle', 'diagonal'):
        kind = next(kind for kind in class_table() if kind.name.startswith(layout))
        item = render(kind, parts=square_parts(20), part_size=20)
        centres = (item.part_boxes[:, :2] + item.part_boxes[:, 2:]) / 2
        moves = (centres - centres[0]) / 20
        np.testing.assert_allclose(moves, np.array(kind.offsets) - kind.offsets[0], atol=0.06)


def test_rotation_is_counter_clockwise_on_the_screen():
    # The second part lies to the right; a quarter turn counter-clockwise brings it to the top.
    kind = LegoClass('pair', (1, 1), ((-1.0, 0.0), (1.0, 0.0)))
    item = render(kind, parts=square_parts(20), orient_range=(90, 90))
    (_, first), (_, second) = (item.part_boxes[:, :2] + item.part_boxes[:, 2:]) / 2
    assert first - second == pytest.approx(40, abs=1)


def test_rotated_digit_matches_numpy_rotation():
    upright = render(single_digit_classes()[7], seed=3, part_size=40).tile
    turned = render(single_digit_classes()[7], seed=3, part_size=40, orient_range=(90, 90)).tile
    expected = np.rot90(upright)
    assert abs(np.array(turned.shape) - expected.shape).max() <= 1
    common = tuple(slice(0, min(a, b)) for a, b in zip(turned.shape, expected.shape, strict=True))
    assert np.abs(turned[common].astype(int) - expected[common]).mean() < 12


def test_objects_stay_inside_the_announced_size():
    options = SceneOptions(canvas=(400, 400), orient_range=(-30, 30), scale_range=(0.5, 2), part_shear=0.2)
    height, width = options.largest_object()
    rng = np.random.default_rng(0)
    for kind in class_table():
        shape = render_object(kind, load_parts(), options, rng).tile.shape
        assert shape[0] <= height
        assert shape[1] <= width


def test_light_keeps_ink_where_it_was_and_follows_gain_and_ramp():
    item = render(single_digit_classes()[0], parts=square_parts(20), gain_range=(0.5, 0.5), light_ramp=0.3)
    lit = light(item)
    np.testing.assert_array_equal(lit > 0, item.tile > 0)
    full = item.tile == 255
    assert lit[full].mean() == pytest.approx(127.5, abs=2)
    assert math.hypot(*item.ramp) == pytest.approx(0.3)
    assert lit[full].max() - lit[full].min() > 0.5 * 0.3 * 255
