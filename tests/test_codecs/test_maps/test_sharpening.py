"""Places and density behind a map: golden numbers through the codecs, every stride, edge cases."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs import RedundantCountCodec
from mmcount.codecs.maps.sharpening import Sharpening
from mmcount.structures.objects import Objects


def round_trip(codec, shape, points, labels=None):
    grid = codec.grid(shape)
    target = codec.encode(Objects(np.array(points, dtype=float), labels), grid)['data']
    return codec.decode((torch.from_numpy(target),), grid)


def assert_same_points(found, expected, tolerance):
    """As sets: both sorted by column and row."""
    found, expected = np.asarray(found), np.asarray(expected, dtype=float)
    assert len(found) == len(expected)
    key = np.round(found), np.round(expected)
    found, expected = (one[np.lexsort(k.T)] for one, k in zip((found, expected), key, strict=True))
    np.testing.assert_allclose(found, expected, atol=tolerance)


GOLDEN = [
    (32, 4, (128, 128), [(60, 60)], [(61.5, 61.5)], 1e-3),
    (
        32,
        4,
        (98, 128),
        [(0, 0), (127, 0), (0, 97), (127, 97)],
        [(1.5, 1.5), (125.5, 1.5), (1.5, 97), (125.5, 97)],
        1e-3,
    ),
    (32, 4, (64, 64), [(20, 20), (22, 22)], [(21.5, 21.5)] * 2, 1e-3),
    (32, 4, (64, 64), [(20, 20), (24, 20)], [(21.5, 21.5), (25.5, 21.5)], 1e-3),
    (32, 4, (64, 64), [(20, 20), (28, 20), (36, 20)], [(21.5, 21.5), (29.5, 21.5), (37.5, 21.5)], 0.02),
    (
        32,
        4,
        (64, 64),
        [(20, 20), (28, 20), (20, 28), (28, 28)],
        [(21.5, 21.5), (29.5, 21.5), (21.5, 29.5), (29.5, 29.5)],
        0.02,
    ),
    (8, 4, (16, 24), [(1, 1), (9, 5), (23, 15)], [(1.5, 1.5), (9.5, 5.5), (21.5, 13.5)], 1e-3),
    (8, 8, (16, 24), [(1, 1), (9, 5), (10, 6), (23, 15)], [(3.5, 3.5), (11.5, 3.5), (11.5, 3.5), (19.5, 11.5)], 1e-3),
    (24, 8, (40, 40), [(4, 4), (20, 20), (39, 39)], [(3.5, 3.5), (19.5, 19.5), (35.5, 35.5)], 1e-3),
    (8, 1, (16, 20), [(0, 0), (5, 5), (8, 5), (19, 15)], [(0, 0), (5, 5), (8, 5), (19, 15)], 2e-3),
    (32, 1, (64, 64), [(20, 20), (40, 33)], [(20, 20), (40, 33)], 1e-3),
]


@pytest.mark.parametrize(('window', 'stride', 'shape', 'points', 'expected', 'tolerance'), GOLDEN)
def test_points_come_back_as_the_centres_of_their_cells(window, stride, shape, points, expected, tolerance):
    decoded = round_trip(RedundantCountCodec(window, stride), shape, points)
    assert_same_points(decoded.points, expected, tolerance)
    np.testing.assert_allclose(decoded.scores, 1, atol=4e-3)
    assert decoded.labels.tolist() == [0] * len(points)
    assert decoded.points.dtype == decoded.scores.dtype == torch.float32


def test_two_objects_in_one_cell_are_two_in_the_density():
    density = round_trip(RedundantCountCodec(32, 4), (64, 64), [(20, 20), (22, 22)]).density
    assert float(density.max()) == pytest.approx(2, abs=1e-3)
    assert float(density[0, 5, 5]) == float(density.max())


def test_each_class_has_its_own_objects():
    points, labels = [(20, 20), (20, 20), (44, 40)], [0, 1, 1]
    decoded = round_trip(RedundantCountCodec(32, 4, 2), (64, 64), points, labels)
    np.testing.assert_allclose(decoded.points, [(21.5, 21.5), (21.5, 21.5), (45.5, 41.5)], atol=1e-3)
    assert decoded.labels.tolist() == [0, 1, 1]
    swapped = round_trip(RedundantCountCodec(32, 4, 2), (64, 64), points, [1, 0, 0])
    assert_same_points(swapped.points[swapped.labels == 1], decoded.points[decoded.labels == 0], 1e-6)
    torch.testing.assert_close(swapped.density, decoded.density.flip(0))


def separate_cells(rng, shape, cells_apart):
    """Cells that lie at least so many cells from each other."""
    free, cells = np.ones(shape, dtype=bool), []
    for index in rng.permutation(shape[0] * shape[1]):
        row, column = divmod(int(index), shape[1])
        if free[row, column]:
            cells.append((column, row))
            reach = cells_apart - 1
            free[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = False
    return np.array(cells[:60])


@settings(deadline=None, derandomize=True, max_examples=40)
@given(data=st.data(), shape=st.tuples(st.integers(1, 130), st.integers(1, 130)), seed=st.integers(0, 9999))
def test_points_three_cells_apart_come_back_for_every_stride_and_size(data, shape, seed):
    window = data.draw(st.sampled_from((8, 24, 32)))
    stride = data.draw(st.sampled_from([one for one in range(2, window + 1) if window % one == 0]))
    rng = np.random.default_rng(seed)
    codec = RedundantCountCodec(window, stride)
    cells = separate_cells(rng, (-(-shape[0] // stride), -(-shape[1] // stride)), 3 if codec.repeats < 16 else 8)
    limit = np.array([shape[1] - 1, shape[0] - 1])
    points = np.minimum(cells * stride + rng.integers(0, stride, cells.shape), limit)
    decoded = round_trip(codec, shape, points)
    expected = np.minimum(points // stride * stride + (stride - 1) / 2, limit)
    assert len(decoded.points) == len(expected)
    distance = np.abs(decoded.points.numpy()[:, None] - expected).max(axis=2)
    assert distance.min(axis=0).max() <= 0.25 * stride
    assert distance.min(axis=1).max() <= 0.25 * stride


def test_flipped_points_come_back_flipped():
    points = np.random.default_rng(5).integers(0, 64, (25, 2))
    codec = RedundantCountCodec(32, 4)
    straight, flipped = (round_trip(codec, (64, 64), one) for one in (points, [63, 0] + points * [-1, 1]))
    torch.testing.assert_close(flipped.density, straight.density.flip(2), atol=1e-4, rtol=0)
    assert_same_points(flipped.points * torch.tensor([-1, 1]) + torch.tensor([63, 0]), straight.points, 0.05)


@pytest.mark.parametrize('value', [0.0, -2.0, 1e-9], ids=['all zero', 'all negative', 'faint'])
@pytest.mark.parametrize('shape', [(1, 1), (3, 40), (40, 3), (37, 50)])
def test_a_map_without_objects_has_no_points_and_a_density_of_its_count(value, shape):
    codec = RedundantCountCodec(32, 4, num_classes=2)
    grid = codec.grid(shape)
    decoded = codec.decode((torch.full((2, *grid.shape), value),), grid)
    assert decoded.points.shape == (0, 2)
    assert torch.isfinite(decoded.density).all()
    assert decoded.density.shape == (2, -(-shape[0] // 4), -(-shape[1] // 4))
    torch.testing.assert_close(decoded.density.sum(dim=(1, 2)), decoded.counts)
    torch.testing.assert_close(decoded.counts, torch.full((2,), value * grid.shape[0] * grid.shape[1] / 64))


def test_an_image_of_one_pixel_can_hold_an_object():
    decoded = round_trip(RedundantCountCodec(32, 4), (1, 1), [(0, 0), (0, 0)])
    assert decoded.points.tolist() == [[0, 0], [0, 0]]
    assert decoded.density.tolist() == [[[2]]]
    assert decoded.extent == (-0.5, -0.5, 3.5, 3.5)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 9999), shape=st.tuples(st.integers(1, 60), st.integers(1, 60)), mean=st.floats(-1, 1))
def test_the_density_of_any_map_sums_to_the_count_and_its_points_lie_on_the_image(seed, shape, mean):
    codec = RedundantCountCodec(16, 4, num_classes=2, iterations=30)
    grid = codec.grid(shape)
    maps = torch.from_numpy(np.random.default_rng(seed).normal(mean, 1, (2, *grid.shape)))
    decoded = codec.decode((maps,), grid)
    torch.testing.assert_close(decoded.density.sum(dim=(1, 2)), decoded.counts, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(decoded.counts.double(), maps.sum(dim=(1, 2)) / 16, atol=1e-4, rtol=1e-4)
    assert (decoded.points >= 0).all()
    assert (decoded.points <= torch.tensor([shape[1] - 1, shape[0] - 1])).all()
    assert ((decoded.scores >= 0.4) & (decoded.scores < 1.6)).all()


def test_the_first_row_and_column_of_a_map_hold_no_place_but_count():
    codec = RedundantCountCodec(32, 4)
    grid = codec.grid((64, 64))
    target = torch.from_numpy(codec.encode(Objects(np.array([[40.0, 30.0]])), grid)['data'])
    leaking = target.clone()
    leaking[:, 0], leaking[:, :, 0] = 3.0, 3.0
    plain, other = codec.decode((target,), grid), codec.decode((leaking,), grid)
    torch.testing.assert_close(other.points, plain.points)
    assert float(other.counts) > float(plain.counts)
    torch.testing.assert_close(other.density.sum(), other.counts[0])


def test_no_points_keep_the_map_as_a_coarse_density():
    codec = RedundantCountCodec(32, 4, points=None)
    decoded = round_trip(codec, (50, 60), [(10, 10), (30, 44)])
    grid = codec.grid((50, 60))
    assert decoded.points.shape == (0, 2)
    assert decoded.density.shape == (1, *grid.shape)
    assert decoded.extent == grid.extent
    assert float(decoded.counts) == 2


def test_counts_and_spread_are_those_of_the_raw_map():
    maps = torch.from_numpy(np.random.default_rng(0).normal(0.3, 1, (1, 21, 23)))
    grid = RedundantCountCodec(32, 4).grid((50, 60))
    sharp, raw = (RedundantCountCodec(32, 4, points=one).decode((maps,), grid) for one in ('deconvolution', None))
    torch.testing.assert_close(sharp.counts, raw.counts)
    torch.testing.assert_close(sharp.spread, raw.spread)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(iterations=0), 'iterations must be at least 1, got 0'),
        (dict(threshold=(0.0, 0.5)), r'got \(0.0, 0.5\)'),
        (dict(threshold=(0.5, 0.4)), r'got \(0.5, 0.4\)'),
        (dict(threshold=(0.5, 1.0)), r'got \(0.5, 1.0\)'),
        (dict(threshold=(0.5,)), r'got \(0.5,\)'),
        (dict(hill_radius=-1), 'hill_radius must be None or at least 0, got -1'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Sharpening(**options)
    with pytest.raises(ValueError, match=message):
        RedundantCountCodec(32, 4, **options)


def test_options_of_local_maxima_are_refused_with_their_replacement():
    for options in (dict(peak_radius=3), dict(peak_threshold=0.2), dict(peak_radius=None)):
        with pytest.raises(TypeError, match=r"points='deconvolution'.*points=None gives none"):
            RedundantCountCodec(32, 4, **options)
    with pytest.raises(TypeError, match="no option 'window'"):
        RedundantCountCodec(32, 4, window=3)
    with pytest.raises(ValueError, match="points must be 'deconvolution' or None, got 'peaks'"):
        RedundantCountCodec(32, 4, points='peaks')


def test_a_class_of_more_objects_than_pixels_gets_no_points_and_says_so(monkeypatch):
    said = []
    monkeypatch.setattr('mmcount.codecs.maps.sharpening.print_log', lambda text, *_: said.append(text))
    codec = RedundantCountCodec(8, 4, num_classes=2)
    grid = codec.grid((40, 40))
    maps = torch.from_numpy(codec.encode(Objects(np.array([[20.0, 20.0]]), np.array([1])), grid)['data'])
    maps[0] = 1e9
    decoded = codec.decode((maps,), grid)
    assert decoded.labels.tolist() == [1]
    assert float(decoded.counts[0]) > 1e9
    torch.testing.assert_close(decoded.density.sum(dim=(1, 2)), decoded.counts)
    assert len(said) == 1
    assert 'more objects than the image of 40 x 40 px has pixels' in said[0]
