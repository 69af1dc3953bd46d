import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmcount.evaluation.functional import game, region_density, region_points

LAWS = settings(deadline=None, derandomize=True, max_examples=50)
DENSITY = st.tuples(st.integers(1, 15), st.integers(1, 15)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(0, 2, width=32))
)
POINTS = st.lists(st.tuples(st.floats(-5, 60), st.floats(-5, 60)), max_size=20)
SHAPE = st.tuples(st.integers(1, 50), st.integers(1, 50))


@LAWS
@given(DENSITY, POINTS, SHAPE)
def test_game_of_level_zero_is_the_count_error(density, points, shape):
    points = np.array(points).reshape(-1, 2)
    assert game(density, points, 0, shape) == pytest.approx(abs(density.sum() - len(points)), abs=1e-9)


@LAWS
@given(DENSITY, POINTS, SHAPE)
def test_game_never_falls_with_the_level(density, points, shape):
    points = np.array(points).reshape(-1, 2)
    values = [game(density, points, level, shape) for level in range(5)]
    assert all(fine >= coarse - 1e-9 for coarse, fine in itertools.pairwise(values))


@LAWS
@given(DENSITY, st.integers(0, 4))
def test_regions_sum_to_the_map(density, level):
    assert region_density(density, level, (33, 17)).sum() == pytest.approx(density.sum(), abs=1e-9)


def test_cells_across_a_border_are_split_by_area():
    # The exact integral: every cell divided into many pixels, which are then summed by slices.
    density = np.random.default_rng(0).random((3, 5))
    fine = np.kron(density, np.ones((8, 8))) / 64
    expected = fine.reshape(4, 6, 4, 10).sum(axis=(1, 3))
    np.testing.assert_allclose(region_density(density, 2), expected, atol=1e-12)


def test_game_agrees_with_a_plain_loop_where_cells_fit():
    rng = np.random.default_rng(1)
    density, points = rng.random((16, 24)), rng.uniform(-0.5, 15.5, (30, 2))
    expected = 0.0
    for row in range(4):
        for col in range(4):
            cell = density[row * 4 : row * 4 + 4, col * 6 : col * 6 + 6].sum()
            x, y = points[:, 0] + 0.5, points[:, 1] + 0.5
            inside = (x >= col * 6) & (x < col * 6 + 6) & (y >= row * 4) & (y < row * 4 + 4)
            expected += abs(cell - inside.sum())
    assert game(density, points, 2) == pytest.approx(expected, abs=1e-9)


def test_the_map_of_a_stride_of_32_is_split_by_area_into_64_regions():
    """14 x 14 cells of 32 px and 8 x 8 regions of 56 px: cells 1, 3, 5 ... lie across borders."""
    density = np.random.default_rng(0).random((14, 14))
    pixels = np.kron(density, np.ones((32, 32))) / 32**2
    expected = pixels.reshape(8, 56, 8, 56).sum(axis=(1, 3))
    np.testing.assert_allclose(region_density(density, 3, (448, 448)), expected, atol=1e-9)
    # The first region holds cell 0 and three quarters of cell 1 along each axis.
    first = density[0, 0] + 0.75 * (density[0, 1] + density[1, 0]) + 0.75**2 * density[1, 1]
    assert expected[0, 0] == pytest.approx(first)
    points = np.random.default_rng(1).uniform(0, 447, (30, 2))
    counted = np.histogram2d(points[:, 1] + 0.5, points[:, 0] + 0.5, bins=8, range=[[0, 448]] * 2)[0]
    assert game(density, points, 3, (448, 448)) == pytest.approx(np.abs(expected - counted).sum())


def test_mass_outside_of_the_image_belongs_to_the_nearest_region():
    # A map of 4 x 4 cells of one pixel around an image of 2 x 2.
    density = np.zeros((4, 4))
    density[0, 0], density[3, 2] = 1, 2
    regions = region_density(density, 1, (2, 2), extent=(-1.5, -1.5, 2.5, 2.5))
    assert regions.tolist() == [[1.0, 0.0], [0.0, 2.0]]


def test_points_weigh_what_they_count():
    assert region_points([[0, 0], [3, 3]], 1, (4, 4), weights=[5, 2]).tolist() == [[5.0, 0.0], [0.0, 2.0]]


def test_no_points_and_no_density_have_no_error():
    assert game(np.zeros((3, 3)), np.zeros((0, 2)), 3) == 0.0


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='level must be at least 0'):
        region_density(np.zeros((2, 2)), -1)
    with pytest.raises(ValueError, match=r'density must be \(h, w\)'):
        region_density(np.zeros((1, 2, 2)), 1)
    with pytest.raises(ValueError, match='extent must be'):
        region_density(np.zeros((2, 2)), 1, extent=(0, 0, 0, 1))
    with pytest.raises(ValueError, match='not finite'):
        region_points([[np.nan, 0]], 1, (4, 4))
