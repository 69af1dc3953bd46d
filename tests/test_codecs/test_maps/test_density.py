"""Density maps of exact mass."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs import DensityCodec
from tests.encoding import decoded, encoded

SOURCES = 'local_maxima', 'deconvolution'


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    seed=st.integers(0, 999),
    number=st.integers(0, 80),
    shape=st.tuples(st.integers(3, 80), st.integers(3, 80)),
    stride=st.sampled_from((1, 2, 4, 8)),
    sigma=st.floats(0.5, 12),
    padding=st.sampled_from((0, 32)),
)
def test_mass_is_exact_everywhere(seed, number, shape, stride, sigma, padding):
    rng = np.random.default_rng(seed)
    points = rng.random((number, 2)) * (np.array(shape[::-1]) - 1)
    labels = rng.integers(0, 2, number)
    codec = DensityCodec(sigma, stride, num_classes=2, padding=padding)
    target = encoded(codec, points, labels, shape)
    np.testing.assert_allclose(target.sum(axis=(1, 2)), np.bincount(labels, minlength=2), rtol=1e-5, atol=1e-5)
    found = decoded(codec, torch.from_numpy(target), shape)
    torch.testing.assert_close(found.density.sum(dim=(1, 2)), found.counts)


def test_an_inner_point_is_the_gaussian_of_the_formula():
    target = encoded(DensityCodec(sigma=2.0, truncate=6), np.array([[20.0, 16.0]]), np.array([0]), (33, 41))[0]
    y, x = np.mgrid[:33, :41]
    gauss = np.exp(-((x - 20) ** 2 + (y - 16) ** 2) / 8)
    np.testing.assert_allclose(target, gauss / gauss.sum(), atol=1e-6)


@pytest.mark.parametrize('source', SOURCES)
def test_round_trip_returns_separate_points_within_half_a_cell(source):
    points = np.array([[10.0, 12.0], [60.0, 15.0], [33.0, 50.0], [0.0, 63.0]])
    codec = DensityCodec(sigma=4.0, stride=4, points=source)
    target = torch.from_numpy(encoded(codec, points, np.zeros(4, dtype=int), (64, 64)))
    found = decoded(codec, target, (64, 64)).points
    assert len(found) == 4
    distance = torch.cdist(found.double(), torch.from_numpy(points)).min(dim=1).values
    assert float(distance.max()) <= 4 * 0.5 * 2**0.5 + 1e-6


@pytest.mark.parametrize(('stride', 'padding'), [(1, 0), (2, 0), (4, 32)])
def test_neighbours_under_one_maximum_come_apart(stride, padding):
    points = np.array([[20.0, 20.0], [26.0, 20.0], [44.0, 40.0]])
    kwargs = dict(sigma=4.0, stride=stride, padding=padding)
    target = torch.from_numpy(encoded(DensityCodec(**kwargs), points, np.zeros(3, dtype=int), (64, 64)))
    maxima, sharp = (decoded(DensityCodec(**kwargs, points=one), target, (64, 64)) for one in SOURCES)
    assert len(maxima.points) == 2
    assert len(sharp.points) == 3
    distance = torch.cdist(sharp.points.double(), torch.from_numpy(points)).min(dim=1).values
    assert float(distance.max()) < 1
    torch.testing.assert_close(sharp.scores, torch.ones(3), atol=0.1, rtol=0)
    torch.testing.assert_close(sharp.density, maxima.density)


def test_points_of_a_padded_map_lie_on_the_image():
    codec = DensityCodec(sigma=4.0, stride=4, padding=32)
    grid = codec.grid((40, 40))
    target = torch.zeros(1, *grid.shape)
    target[0, 0, 0] = target[0, -1, -1] = 1.0
    assert decoded(codec, target, (40, 40)).points.tolist() == [[0, 0], [39, 39]]


def test_no_points_are_given_on_request():
    codec = DensityCodec(points=None)
    target = torch.from_numpy(encoded(codec, np.array([[5.0, 5.0]]), np.array([0]), (20, 20)))
    found = decoded(codec, target, (20, 20))
    assert found.points.shape == (0, 2)
    assert float(found.counts) == pytest.approx(1)


def test_a_crop_with_halo_has_the_cells_of_the_whole_image():
    rng = np.random.default_rng(1)
    points = rng.integers(0, 100, (60, 2)).astype(float)
    codec = DensityCodec(sigma=3.0, padding=32)
    whole = encoded(codec, points, np.zeros(60, dtype=int), (100, 100))[0]
    top, left, size = 30, 41, 48
    moved = points + 32 - np.array([left, top])
    inside = ((moved >= 0) & (moved < size + 32)).all(axis=1)
    crop = encoded(codec, moved[inside], np.zeros(int(inside.sum()), dtype=int), (size + 32, size + 32), halo=32)[0]
    np.testing.assert_allclose(crop, whole[top : top + size, left : left + size], atol=1e-7)


def test_no_points_give_zero():
    codec = DensityCodec()
    assert encoded(codec, np.zeros((0, 2)), np.zeros(0, dtype=int), (9, 9)).sum() == 0


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match='sigma must be positive'):
        DensityCodec(sigma=0)
    with pytest.raises(ValueError, match='padding must not be negative'):
        DensityCodec(padding=-1)
    with pytest.raises(ValueError, match='num_classes'):
        DensityCodec(num_classes=0)
    with pytest.raises(ValueError, match="points must be 'deconvolution', 'local_maxima' or None, got 'peaks'"):
        DensityCodec(points='peaks')
    with pytest.raises(ValueError, match='got None: points=None gives no points'):
        DensityCodec(peak_radius=None)
    with pytest.raises(ValueError, match='iterations must be at least 1, got 0'):
        DensityCodec(iterations=0)
    with pytest.raises(ValueError, match='has a map of'):
        decoded(DensityCodec(), torch.zeros(1, 4, 4), (9, 9))
