"""A mixture of axis-aligned Gaussians, fitted to points that weigh differently."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """K Gaussians with diagonal covariances.

    Attributes:
        means: (K, 2).
        variances: (K, 2).
        priors: (K,), summing to 1.
        log_likelihood: Weighted mean log-likelihood of the points that it was fitted to.
    """

    means: FloatArray
    variances: FloatArray
    priors: FloatArray
    log_likelihood: float


def fit_gaussian_mixture(
    points: ArrayLike,
    weights: ArrayLike,
    num_components: int,
    rng: np.random.Generator | None = None,
    num_starts: int = 4,
    max_iters: int = 60,
    tol: float = 1e-5,
    min_variance: float = 0.15,
) -> GaussianMixture:
    """Expectation maximisation with weights: a point of weight 3 counts like three equal points (C2P).

    The M-step is that of an ordinary mixture with ``weight * responsibility`` in place of the responsibility. Starts
    are seeded as in k-means++, with the weights; the one with the highest likelihood is kept.

    Args:
        points: (n, 2).
        weights: (n,), not negative; points of weight 0 change nothing.
        num_components: K >= 1.
        rng: Source of the starts; a fixed one by default, so that the same points give the same mixture.
        num_starts: Runs from different starts.
        max_iters: Rounds of one run.
        tol: A run stops when the mean log-likelihood rises by less.
        min_variance: Added to every variance. A cell is no point but a unit square, whose variance is 1/12; without it
            a component collapses onto one cell.

    Returns:
        The mixture, components by falling prior.

    Raises:
        ValueError: The shapes do not fit, a weight is negative or no number, or fewer points than components weigh
            anything.

    Example:
        >>> mixture = fit_gaussian_mixture([[0, 0], [0, 2], [9, 1]], [1, 1, 2], num_components=2)
        >>> mixture.means[mixture.means[:, 0].argsort()].round(3).tolist()
        [[0.0, 1.0], [9.0, 1.0]]
    """
    xy, mass = _checked(points, weights)
    if num_components < 1:
        raise ValueError(f'num_components must be at least 1, got {num_components}')
    if len(xy) < num_components:
        raise ValueError(f'{num_components} components need as many points of positive weight, got {len(xy)}')
    if num_starts < 1 or max_iters < 1:
        raise ValueError(f'num_starts and max_iters must be at least 1, got {num_starts} and {max_iters}')
    rng = rng or np.random.default_rng(0)
    starts = [_seed(xy, mass, num_components, rng) for _ in range(num_starts)]
    runs = [_run(xy, mass, start, max_iters, tol, min_variance) for start in starts]
    best = max(runs, key=lambda run: run.log_likelihood)
    order = np.lexsort((best.means[:, 1], best.means[:, 0], -best.priors))
    return GaussianMixture(best.means[order], best.variances[order], best.priors[order], best.log_likelihood)


def _checked(points: ArrayLike, weights: ArrayLike) -> tuple[FloatArray, FloatArray]:
    xy, mass = np.asarray(points, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if xy.ndim != 2 or xy.shape[1] != 2 or mass.shape != (len(xy),):
        raise ValueError(f'expected points (n, 2) and weights (n,), got {xy.shape} and {mass.shape}')
    if not (np.isfinite(xy).all() and np.isfinite(mass).all()) or (mass < 0).any():
        raise ValueError('points and weights must be finite, and no weight negative')
    xy, mass = xy[mass > 0], mass[mass > 0]
    return xy, mass / mass.sum() if len(mass) else mass


def _seed(xy: FloatArray, mass: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """k-means++: each next centre is a point drawn with its weight times its squared distance to the centres."""
    chosen = [int(rng.choice(len(xy), p=mass))]
    for _ in range(1, count):
        nearest = ((xy[:, None] - xy[chosen][None]) ** 2).sum(axis=2).min(axis=1)
        chance = mass * nearest
        # Equal points everywhere: any of them that is not taken yet.
        if chance.sum() <= 0:
            chance = mass.copy()
            chance[chosen] = 0
        chosen.append(int(rng.choice(len(xy), p=chance / chance.sum())))
    return xy[chosen]


def _run(
    xy: FloatArray, mass: FloatArray, means: FloatArray, max_iters: int, tol: float, min_variance: float
) -> GaussianMixture:
    count = len(means)
    centre = mass @ xy
    spread = mass @ (xy - centre) ** 2
    variances = np.tile(spread / count + min_variance, (count, 1))
    priors = np.full(count, 1.0 / count)
    before = -np.inf
    for _ in range(max_iters):
        log_density = _log_density(xy, means, variances, priors)
        top = log_density.max(axis=1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(log_density - top).sum(axis=1))
        likelihood = float(mass @ log_sum)
        if likelihood - before < tol:
            break
        before = likelihood
        share = mass[:, None] * np.exp(log_density - log_sum[:, None])
        total = share.sum(axis=0)
        # A component that lost all its mass keeps its place; its prior is zero from here on.
        safe = np.maximum(total, 1e-12)
        alive = (total > 1e-12)[:, None]
        means = np.where(alive, share.T @ xy / safe[:, None], means)
        square = share.T @ xy**2 / safe[:, None] - means**2
        variances = np.where(alive, np.maximum(square, 0.0) + min_variance, variances)
        priors = total / total.sum()
    return GaussianMixture(means, variances, priors, before)


def _log_density(xy: FloatArray, means: FloatArray, variances: FloatArray, priors: FloatArray) -> FloatArray:
    """(n, K) log of prior times density."""
    offsets = (xy[:, None] - means[None]) ** 2 / variances[None]
    normaliser = np.log(2 * np.pi * variances).sum(axis=1)
    with np.errstate(divide='ignore'):
        result: FloatArray = np.log(priors)[None] - 0.5 * (offsets.sum(axis=2) + normaliser[None])
    return result
