import numpy as np
import pytest

from mmcount.visualization.drawing import (
    display_size,
    draw_boxes,
    draw_ellipses,
    draw_points,
    font,
    grid,
    header,
    overlay_density,
    resize,
    shorten,
    to_display,
    warp_density,
)

WHITE = (255, 255, 255)


def test_a_point_is_drawn_where_it_is():
    image = np.zeros((21, 21, 3), np.uint8)
    draw_points(image, np.array([[5.0, 12.0]]), [WHITE], radius_px=2)
    rows, cols = np.nonzero(image[..., 0] > 200)
    assert (rows.mean(), cols.mean()) == (12, 5)


def test_a_point_stays_on_its_pixel_when_the_image_is_enlarged():
    image = np.zeros((6, 6, 3), np.uint8)
    image[4, 1] = 255
    large = resize(image, 8)
    rows, cols = np.nonzero(large[..., 0])
    np.testing.assert_allclose(to_display(np.array([[1, 4]]), 8)[0], [cols.mean(), rows.mean()])


def test_a_box_of_several_objects_carries_their_number():
    plain, tagged = np.zeros((60, 60, 3), np.uint8), np.zeros((60, 60, 3), np.uint8)
    box = np.array([[10.0, 10, 50, 50]])
    draw_boxes(plain, box, [WHITE], np.array([1.0]))
    draw_boxes(tagged, box, [WHITE], np.array([7.0]))
    assert tagged[15:25, 12:24].mean() > plain[15:25, 12:24].mean() + 50


def test_an_ellipse_is_outlined_at_its_half_axes():
    image = np.zeros((41, 61, 3), np.uint8)
    draw_ellipses(image, np.array([[30.0, 20.0, 24.0, 10.0]]), [WHITE], thickness_px=1)
    rows, cols = np.nonzero(image[..., 0] > 128)
    assert abs(cols.min() - 6) <= 1
    assert abs(cols.max() - 54) <= 1
    assert abs(rows.min() - 10) <= 1
    assert abs(rows.max() - 30) <= 1
    assert image[20, 30, 0] == 255  # the centre
    assert not image[15, 40].any()
    assert image[12, 10].max() < 30  # a corner of its box, where there is at most the rim


def test_a_map_of_the_whole_image_lands_on_its_pixels():
    density = np.zeros((4, 6), np.float32)
    density[1, 4] = 1.0
    warped = warp_density(density, (40, 60), None, scale=10)
    rows, cols = np.nonzero(warped == warped.max())
    assert 10 <= rows.min() <= rows.max() < 20
    assert 40 <= cols.min() <= cols.max() < 50


def test_a_map_beyond_the_image_is_cut_and_one_inside_does_not_smear():
    density = np.ones((2, 2), np.float32)
    inside = warp_density(density, (8, 8), (1.5, 1.5, 5.5, 5.5), scale=1)
    assert inside.sum() == 16
    assert inside[2:6, 2:6].all()
    assert warp_density(density, (8, 8), (-10.5, -10.5, 20.5, 20.5), scale=1).all()


def test_empty_density_leaves_the_image_grey():
    image = np.random.default_rng(0).integers(0, 255, (5, 5, 3), dtype=np.uint8)
    shown = overlay_density(image, np.zeros((5, 5), np.float32), 0.0)
    assert (shown[..., 0] == shown[..., 1]).all()
    assert (shown[..., 1] == shown[..., 2]).all()


def test_dense_places_are_brighter():
    density = np.zeros((5, 5), np.float32)
    density[2, 2] = 1
    shown = overlay_density(np.zeros((5, 5, 3), np.uint8), density, 1.0)
    assert shown[2, 2].sum() > shown[0, 0].sum()


def test_long_text_is_cut_to_its_panel():
    assert shorten('short', 500, 15) == 'short'
    cut = shorten('a very long name of a class that does not fit', 80, 15)
    assert cut.endswith('…')
    assert font(15).getlength(cut) <= 80


def test_a_header_has_the_width_of_its_panel():
    assert header(240, [('true: 3', (0, 0, 0))]).shape[1] == 240


def test_panels_of_different_sizes_keep_their_pixels():
    panels = [np.full((size, size + 3, 3), value, np.uint8) for size, value in ((5, 10), (9, 20), (4, 30))]
    sheet = grid(panels, columns=2)
    for panel in panels:
        assert (sheet == panel[0, 0]).all(axis=2).sum() == panel.shape[0] * panel.shape[1]


@pytest.mark.parametrize('shape', [(1, 1), (3000, 2), (400, 300)])
def test_any_image_gets_between_the_limits(shape):
    side = max(shape) * display_size(shape, 100, 640)
    assert 100 - 1e-6 <= side <= 640 + 1e-6
    assert min(resize(np.zeros((*shape, 3), np.uint8), display_size(shape, 100, 640)).shape) >= 1
