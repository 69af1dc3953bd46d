"""Density maps of exact mass."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs import DensityCodec
from tests.encoding import decoded, encoded


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


def test_round_trip_returns_separate_points_within_half_a_cell():
    points = np.array([[10.0, 12.0], [60.0, 15.0], [33.0, 50.0], [0.0, 63.0]])
    codec = DensityCodec(sigma=4.0, stride=4)
    target = torch.from_numpy(encoded(codec, points, np.zeros(4, dtype=int), (64, 64)))
    found = decoded(codec, target, (64, 64)).points
    assert len(found) == 4
    distance = torch.cdist(found.double(), torch.from_numpy(points)).min(dim=1).values
    assert float(distance.max()) <= 4 * 0.5 * 2**0.5 + 1e-6


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
    with pytest.raises(ValueError, match='has a map of'):
        decoded(DensityCodec(), torch.zeros(1, 4, 4), (9, 9))
