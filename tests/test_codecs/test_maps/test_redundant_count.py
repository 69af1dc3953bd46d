"""Redundant counts: exact mass, the published alignment, crops, strides."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.real_data import data_root
from mmcount.codecs import RedundantCountCodec
from mmcount.codecs.maps.redundant_count import redundant_estimates
from tests.encoding import decoded, encoded

STRIDES = (1, 2, 4, 8, 16, 32)


def brute_force_windows(points, img_shape, window):
    """The definition: count the points under each window of the zero-padded dot image."""
    height, width = img_shape
    padded = np.zeros((height + 2 * window, width + 2 * window))
    for x, y in points:
        padded[y + window, x + window] += 1
    target = np.zeros((height + window, width + window))
    for i in range(height + window):
        for j in range(width + window):
            target[i, j] = padded[i : i + window, j : j + window].sum()
    return target


def points_in(shape):
    height, width = shape
    point = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    corners = st.sampled_from([(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)])
    return st.lists(st.one_of(point, corners), max_size=60)


shapes = st.tuples(st.integers(1, 90), st.integers(1, 90))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(data=st.data(), shape=shapes, stride=st.sampled_from(STRIDES), num_classes=st.integers(1, 3))
def test_the_map_holds_every_point_exactly(data, shape, stride, num_classes):
    points = np.array(data.draw(points_in(shape)), dtype=np.float32).reshape(-1, 2)
    labels = np.arange(len(points)) % num_classes
    codec = RedundantCountCodec(32, stride, num_classes)
    target = encoded(codec, points, labels, shape)
    assert target.shape == (num_classes, *codec.grid(shape).shape)
    expected = np.bincount(labels, minlength=num_classes)
    np.testing.assert_array_equal(target.sum(axis=(1, 2)) / (32 / stride) ** 2, expected)
    found = decoded(codec, torch.from_numpy(target), shape)
    np.testing.assert_array_equal(found.counts.numpy(), expected)
    np.testing.assert_allclose(found.density.sum(dim=(1, 2)), expected, rtol=1e-6)
    assert (found.spread is None) == (stride == 32)  # a single estimate has no spread
    assert stride == 32 or float(found.spread.max()) == 0


@pytest.mark.parametrize('side', [256, 300, 150, 151])
@pytest.mark.parametrize('stride', STRIDES)
def test_published_sizes_are_exact_at_every_stride(side, stride):
    points = np.array([[0, 0], [side - 1, 0], [0, side - 1], [side - 1, side - 1], [40, 70], [40, 70]])
    codec = RedundantCountCodec(32, stride)
    target = encoded(codec, points, np.zeros(6, dtype=int), (side, side))
    assert target.shape[1] == -(-(side + 32) // stride)
    assert target.sum() / (32 / stride) ** 2 == 6


def test_windows_equal_their_definition():
    rng = np.random.default_rng(0)
    points = np.stack((rng.integers(0, 21, 30), rng.integers(0, 17, 30)), axis=1)
    target = encoded(RedundantCountCodec(8), points, np.zeros(30, dtype=int), (17, 21))
    np.testing.assert_array_equal(target[0], brute_force_windows(points, (17, 21), 8))


def test_first_row_and_column_see_nothing_and_a_corner_dot_fills_its_window():
    target = encoded(RedundantCountCodec(32), np.array([[0, 0]]), np.array([0]), (50, 40))[0]
    assert target[0].sum() == 0
    assert target[:, 0].sum() == 0
    assert (target[1:33, 1:33] == 1).all()
    assert target.sum() == 1024


@settings(deadline=None, derandomize=True, max_examples=30)
@given(data=st.data(), top=st.integers(0, 40), left=st.integers(0, 40), stride=st.sampled_from((1, 4)))
def test_a_crop_with_halo_has_the_cells_of_the_whole_image(data, top, left, stride):
    shape, size, window = (70, 64), 24, 16
    points = np.array(data.draw(points_in(shape)), dtype=np.float32).reshape(-1, 2)
    codec = RedundantCountCodec(window)
    whole = encoded(codec, points, np.zeros(len(points), dtype=int), shape)[0]
    moved = points + window - np.array([left, top])
    inside = ((moved >= 0) & (moved < size + window)).all(axis=1)
    crop = encoded(
        RedundantCountCodec(window, stride),
        moved[inside],
        np.zeros(int(inside.sum()), dtype=int),
        (size + window, size + window),
        halo=window,
    )
    np.testing.assert_array_equal(crop[0], whole[top : top + size : stride, left : left + size : stride])


@settings(deadline=None, derandomize=True, max_examples=30)
@given(data=st.data(), shape=shapes)
def test_flipped_points_give_the_map_of_the_flipped_dots(data, shape):
    points = np.array(data.draw(points_in(shape)), dtype=int).reshape(-1, 2)
    flipped = np.stack((shape[1] - 1 - points[:, 0], points[:, 1]), axis=1)
    labels = np.zeros(len(points), dtype=int)
    target = encoded(RedundantCountCodec(8), flipped, labels, shape)[0]
    if shape[0] * shape[1] <= 900:
        np.testing.assert_array_equal(target, brute_force_windows(flipped, shape, 8))
    # The window is not symmetric about its cell: flipping the map itself moves it by one column.
    original = encoded(RedundantCountCodec(8), points, labels, shape)[0]
    np.testing.assert_array_equal(target[:, 1:], original[:, :0:-1])


def test_no_points_give_an_empty_map_and_no_predictions():
    codec = RedundantCountCodec(32, 4)
    target = encoded(codec, np.zeros((0, 2)), np.zeros(0, dtype=int), (30, 30))
    found = decoded(codec, torch.from_numpy(target), (30, 30))
    assert target.sum() == 0
    assert found.counts.tolist() == [0]
    assert found.points.shape == (0, 2)


def test_redundant_estimates_average_to_the_count():
    output = torch.rand(2, 70, 55, dtype=torch.float64)
    estimates = redundant_estimates(output, repeats=8)
    assert estimates.shape == (2, 64)
    torch.testing.assert_close(estimates.mean(dim=1), output.sum(dim=(1, 2)) / 64)


def test_points_outside_the_image_are_left_out():
    points = np.array([[39.4, 3.0], [39.5, 3.0], [1.0, 1.0], [float('nan'), 0.0], [-0.6, 2.0]])
    target = encoded(RedundantCountCodec(32), points, np.zeros(len(points), dtype=int), (40, 40))
    assert target.sum() == 2 * 32**2


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match='stride must divide'):
        RedundantCountCodec(32, stride=5)
    with pytest.raises(ValueError, match='needs crops with a halo of 32 px, got 7 px'):
        encoded(RedundantCountCodec(32), np.zeros((0, 2)), np.zeros(0, dtype=int), (99, 99), halo=7)
    with pytest.raises(ValueError, match='has a map of'):
        decoded(RedundantCountCodec(32), torch.zeros(1, 5, 5), (40, 40))


@pytest.mark.parametrize(
    ('folder', 'kind', 'total'),
    [('vgg_cells', 'VGGCells', 35192), ('adipocyte', 'AdipocyteCells', 31017)],
)
def test_targets_of_real_data_hold_every_dot(folder, kind, total):
    root = data_root(folder)
    if root is None:
        pytest.skip(f'{folder} is not on this machine')
    from mmcount import datasets

    dataset = getattr(datasets, kind)(data_root=str(root))
    codec = RedundantCountCodec(32)
    side = {'vgg_cells': 256, 'adipocyte': 150}[folder]
    total_in_maps = 0.0
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        total_in_maps += encoded(codec, info['points'], info['labels'], (side, side)).sum(dtype=np.float64) / 1024
    assert total_in_maps == total
