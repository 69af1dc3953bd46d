import numpy as np

from mmcount.datasets.cells import CellOptions, make_cell_scene


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not():
    options = CellOptions(canvas=(96, 64), empty_prob=0)
    first, second, other = (make_cell_scene(options, seed) for seed in ((1, 2), (1, 2), (1, 3)))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.points.tobytes() == second.points.tobytes()
    assert first.image.tobytes() != other.image.tobytes()


def test_the_annotation_is_the_same_without_the_picture():
    options = CellOptions(canvas=(96, 64), empty_prob=0)
    with_image, without = make_cell_scene(options, 5), make_cell_scene(options, 5, paint=False)
    assert without.image is None
    for name in ('points', 'radii', 'bboxes'):
        np.testing.assert_array_equal(getattr(with_image, name), getattr(without, name))


def test_points_are_in_the_image_and_in_their_boxes():
    for seed in range(10):
        scene = make_cell_scene(CellOptions(canvas=(80, 120), coverage=0.6, empty_prob=0), seed, paint=False)
        x, y = scene.points.T
        assert ((x >= -0.5) & (x < 119.5) & (y >= -0.5) & (y < 79.5)).all()
        assert (scene.points + 0.5 > scene.bboxes[:, :2]).all()
        assert (scene.points + 0.5 < scene.bboxes[:, 2:]).all()


def test_options_of_the_picture_do_not_move_cells():
    one, two = (make_cell_scene(CellOptions(blur=blur, photons=photons), 3) for blur, photons in ((0.5, 90), (2, 900)))
    np.testing.assert_array_equal(one.points, two.points)


def test_every_kind_of_image_is_uint8_bgr_of_the_canvas():
    for seed in range(20):
        image = make_cell_scene(CellOptions(canvas=(50, 70), brightfield_prob=0.5), seed).image
        assert image.shape == (50, 70, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
