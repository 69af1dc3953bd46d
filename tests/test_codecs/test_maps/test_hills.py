"""Hills: summits, whole numbers of objects, places."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs.maps.hills import find_objects, find_summits, objects_in_hills, smooth, split_hill

seeds = st.integers(0, 10_000)


def climb(maps, label, row, column):
    """The definition, one step at a time."""
    while True:
        best = row, column
        for y in range(max(row - 1, 0), min(row + 2, maps.shape[1])):
            for x in range(max(column - 1, 0), min(column + 2, maps.shape[2])):
                if maps[label, y, x] > maps[(label, *best)]:
                    best = y, x
        if best == (row, column):
            return int(np.ravel_multi_index((label, row, column), maps.shape))
        row, column = best


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=seeds, height=st.integers(1, 12), width=st.integers(1, 12), levels=st.sampled_from((3, 1000)))
def test_every_cell_climbs_to_its_summit(seed, height, width, levels):
    maps = np.random.default_rng(seed).integers(0, levels, (2, height, width)).astype(float)
    found = find_summits(maps).reshape(maps.shape)
    for index in np.ndindex(*maps.shape):
        assert found[index] == climb(maps, *index)


def test_a_plateau_is_as_many_hills_as_cells():
    assert find_summits(np.ones((1, 2, 2))).tolist() == [0, 1, 2, 3]


def test_a_long_ridge_leads_to_its_end():
    assert set(find_summits(np.arange(300.0).reshape(1, 1, 300))) == {299}


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=seeds, height=st.integers(1, 15), width=st.integers(1, 15), radius=st.integers(0, 3))
def test_smoothing_is_two_means_with_zeros_around(seed, height, width, radius):
    maps = np.random.default_rng(seed).random((2, height, width))
    kernel = np.convolve(np.full(2 * radius + 1, 1 / (2 * radius + 1)), np.full(2 * radius + 1, 1 / (2 * radius + 1)))
    expected = maps
    for axis in (1, 2):
        expected = np.apply_along_axis(np.convolve, axis, expected, kernel)
    inside = slice(2 * radius, -2 * radius or None)
    np.testing.assert_allclose(smooth(maps, radius), expected[:, inside, inside], atol=1e-12)


@pytest.mark.parametrize(
    ('masses', 'total', 'expected'),
    [
        ([1.0, 2.0], 3.0, [1, 2]),
        ([0.55, 0.45], 1.0, [1, 0]),
        ([0.45, 0.45, 0.45, 0.45, 0.2], 2.0, [1, 1, 1, 1, 0]),
        ([0.43, 0.41, 0.3, 0.3, 0.3, 0.3], 2.04, [1, 1, 0, 0, 0, 0]),
        ([0.39, 0.3, 0.31], 1.0, [0, 0, 0]),
        ([0.7, 0.7, 0.6], 0.2, [1, 1, 1]),
        ([0.45], 5.0, [1]),
        ([3.46, 0.1, 0.44], 4.0, [4, 0, 0]),
    ],
)
def test_hills_hold_whole_objects(masses, total, expected):
    assert objects_in_hills(np.array(masses), total, (0.4, 0.5)).tolist() == expected


@settings(deadline=None, derandomize=True, max_examples=60)
@given(seed=seeds, size=st.integers(1, 60))
def test_the_number_of_points_is_the_nearest_to_the_mass_that_the_bounds_allow(seed, size):
    masses = np.random.default_rng(seed).gamma(1.0, 1.0, size)
    total = masses.sum()
    found = objects_in_hills(masses, total, (0.4, 0.5)).sum()
    reachable = [np.floor(masses + 1 - cut).sum() for cut in np.linspace(0.4, 0.5, 2001)]
    assert min(reachable) <= found <= max(reachable)
    assert abs(found - np.rint(total)) <= min(abs(one - np.rint(total)) for one in reachable)


def test_bounds_of_one_value_are_that_threshold():
    assert objects_in_hills(np.array([0.45, 0.55, 0.45]), 1.45, (0.5, 0.5)).tolist() == [0, 1, 0]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(seed=seeds, height=st.integers(1, 14), width=st.integers(1, 14), number=st.integers(1, 9))
def test_shares_of_a_hill_have_its_centroid_and_lie_inside(seed, height, width, number):
    masses = np.random.default_rng(seed).gamma(0.3, 1.0, (height, width)) + 1e-9
    centres = split_hill(masses, number)
    rows, columns = np.indices(masses.shape)
    centroid = [(masses * columns).sum() / masses.sum(), (masses * rows).sum() / masses.sum()]
    np.testing.assert_allclose(centres.mean(axis=0), centroid, atol=1e-6)
    assert (centres >= -1e-9).all()
    assert (centres <= np.array([width - 1, height - 1]) + 1e-9).all()


def test_the_first_share_is_taken_around_the_highest_cell_by_distance_and_then_row_by_row():
    masses = np.array([[0.1, 0.4, 0.1], [0.4, 1.0, 0.4], [0.1, 0.4, 0.1]])
    first, second = split_hill(masses, 2)
    # 1.5 of 3: the middle, the cell above it, and 0.1 of the one at its left.
    np.testing.assert_allclose(first, [(1.0 + 0.4) / 1.5, (1.0 + 0.1) / 1.5])
    np.testing.assert_allclose(second, [2 - first[0], 2 - first[1]])


def test_a_share_is_found_however_far_its_mass_lies():
    masses = np.zeros((1, 200))
    masses[0, ::50] = 0.5
    np.testing.assert_allclose(split_hill(masses, 1), [[75.0, 0.0]])
    np.testing.assert_allclose(split_hill(masses, 2)[:, 0], [25.0, 125.0])


def test_objects_are_ordered_by_class_and_summit_and_score_their_mass():
    cells = np.zeros((2, 9, 9))
    cells[1, 1, 1], cells[0, 6, 2], cells[0, 2, 6], cells[0, 2, 7] = 0.9, 2.2, 1.0, 0.1
    places, labels, scores = find_objects(cells)
    np.testing.assert_allclose(places, [[6 + 0.1 / 1.1, 2], [2, 6], [2, 6], [1, 1]])
    assert labels.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(scores, [1.1, 1.1, 1.1, 0.9])


def test_many_objects_in_one_cell_and_none_are_both_found():
    cells = np.zeros((1, 3, 3))
    cells[0, 1, 2] = 40.0
    places, _, scores = find_objects(cells)
    np.testing.assert_allclose(places, [[2, 1]] * 40)
    np.testing.assert_allclose(scores, 1)
    places, labels, scores = find_objects(np.zeros((3, 4, 4)))
    assert (places.shape, labels.shape, scores.shape) == ((0, 2), (0,), (0,))


def test_a_smoothed_hill_joins_a_broken_object():
    cells = np.zeros((1, 9, 9))
    cells[0, 4, 3], cells[0, 4, 5] = 0.55, 0.45
    np.testing.assert_allclose(find_objects(cells, (0.4, 0.4), hill_radius=1)[0], [[3.9, 4]])
    assert len(find_objects(cells, (0.4, 0.4))[0]) == 2
