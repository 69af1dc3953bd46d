import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.models.pointing import fit_gaussian_mixture

LAWS = settings(deadline=None, derandomize=True, max_examples=30)
CELLS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 5)),
    min_size=4,
    max_size=12,
    unique_by=lambda cell: cell[:2],
)


def split(cells):
    return np.array([cell[:2] for cell in cells], float), np.array([cell[2] for cell in cells])


@LAWS
@given(CELLS)
def test_one_component_is_the_weighted_mean_and_variance(cells):
    points, weights = split(cells)
    mixture = fit_gaussian_mixture(points, weights, 1, min_variance=0.15)
    mean = np.average(points, axis=0, weights=weights)
    assert mixture.means[0] == pytest.approx(mean)
    assert mixture.variances[0] == pytest.approx(np.average((points - mean) ** 2, axis=0, weights=weights) + 0.15)
    assert mixture.priors.tolist() == [1.0]


@LAWS
@given(CELLS, st.integers(2, 3))
def test_whole_weights_are_repeated_points(cells, num_components):
    """From the same starts, which the seeding draws from positions in the list and so cannot give by itself."""
    from mmcount.models.pointing.gaussian_mixture import _run

    points, weights = split(cells)
    repeated = np.repeat(points, weights, axis=0)
    start = points[:num_components]
    one = _run(points, weights / weights.sum(), start, 60, 1e-9, 0.15)
    other = _run(repeated, np.full(len(repeated), 1 / len(repeated)), start, 60, 1e-9, 0.15)
    assert one.means == pytest.approx(other.means, abs=1e-6)
    assert one.variances == pytest.approx(other.variances, abs=1e-6)
    assert one.priors == pytest.approx(other.priors, abs=1e-6)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-6)


def test_points_without_weight_change_nothing():
    points = np.array([[0, 0], [1, 0], [7, 7], [8, 7], [50, 50]], float)
    one = fit_gaussian_mixture(points[:4], [1, 2, 3, 4], 2)
    other = fit_gaussian_mixture(points, [1, 2, 3, 4, 0], 2)
    assert np.array_equal(one.means, other.means)
    assert np.array_equal(one.priors, other.priors)


def test_blobs_are_found():
    rng = np.random.default_rng(0)
    centres = np.array([[3, 3], [10, 4], [6, 11]], float)
    ys, xs = np.mgrid[:14, :14]
    cells = np.stack([xs.ravel(), ys.ravel()], axis=1) + 0.5
    heat = sum(np.exp(-((cells - centre) ** 2).sum(axis=1) / 2) for centre in centres) * rng.uniform(0.9, 1, len(cells))
    mixture = fit_gaussian_mixture(cells, heat, 3)
    nearest = np.abs(mixture.means[:, None] - centres[None]).sum(axis=2).argmin(axis=1)
    assert sorted(nearest) == [0, 1, 2]
    assert np.abs(mixture.means - centres[nearest]).max() < 0.2
    assert (np.diff(mixture.priors) <= 0).all()
    assert mixture.priors.sum() == pytest.approx(1)


def test_as_many_components_as_points_and_equal_points():
    means = fit_gaussian_mixture([[0, 0], [5, 5]], [1, 1], 2).means
    assert np.sort(means, axis=0) == pytest.approx(np.array([[0, 0], [5, 5]]), abs=1e-9)
    mixture = fit_gaussian_mixture([[2, 2]] * 3, [1, 1, 1], 3)
    assert np.isfinite(mixture.means).all()
    assert np.isfinite(mixture.variances).all()


@pytest.mark.parametrize(
    ('points', 'weights', 'options', 'message'),
    [
        ([[0, 0]], [1], dict(num_components=2), '2 components need as many points of positive weight, got 1'),
        ([[0, 0]], [0], dict(num_components=1), 'got 0'),
        ([[0, 0]], [1, 2], dict(num_components=1), r'weights \(n,\)'),
        ([[0, 0]], [-1], dict(num_components=1), 'no weight negative'),
        ([[0, np.nan]], [1], dict(num_components=1), 'must be finite'),
        ([[0, 0]], [1], dict(num_components=0), 'num_components must be at least 1'),
        ([[0, 0]], [1], dict(num_components=1, num_starts=0), 'num_starts'),
    ],
)
def test_what_cannot_be_fitted_is_refused(points, weights, options, message):
    with pytest.raises(ValueError, match=message):
        fit_gaussian_mixture(points, weights, **options)
