"""Clustering by density peaks (Rodriguez and Laio, Science 2014), for points that weigh differently."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class DensityPeakResult:
    """Clusters and what they were decided by. n points, K clusters.

    Attributes:
        labels: (n,) cluster of each point, 0..K-1 by falling density of the centre; -1 in the halo.
        centres: (K,) index of the point at the centre of each cluster.
        density: (n,) rho.
        distance: (n,) delta, to the nearest point of higher density.
    """

    labels: IntArray
    centres: IntArray
    density: FloatArray
    distance: FloatArray


def density_peak_clusters(
    points: ArrayLike,
    weights: ArrayLike,
    cutoff: float = 1.0,
    min_distance: float = 2.5,
    min_density: float = 0.2,
    num_clusters: int | None = None,
    choose: str = 'threshold',
    remove_halo: bool = False,
) -> DensityPeakResult:
    """Cluster weighted points around those that are denser than all their neighbours.

    The density of a point is the mass around it, ``sum_j w_j exp(-(d_ij / cutoff)^2)``; the distance is that to the
    nearest denser point. Centres have both large. Every other point belongs to the cluster of its nearest denser point.

    Args:
        points: (n, 2).
        weights: (n,), positive.
        cutoff: d_c, the width of the kernel in the unit of the points.
        min_distance: Smallest distance of a centre (``choose='threshold'``).
        min_density: Smallest density of a centre, as a share of the largest (``choose='threshold'``).
        num_clusters: Take this many centres, those with the largest density times distance, whatever ``choose`` says.
        choose: 'threshold', or 'gap': cut the falling products of density and distance where they drop by the largest
            factor.
        remove_halo: Give points -1 that are no denser than the border of their cluster to another one, where points of
            both are within ``cutoff``. Centres always stay.

    Returns:
        The clusters; none for no points.

    Raises:
        ValueError: The shapes do not fit, a weight is not positive, or an option is out of range.

    Example:
        >>> result = density_peak_clusters([[0, 0], [1, 0], [8, 0], [9, 0]], [2, 1, 3, 1], min_distance=2)
        >>> result.labels.tolist()
        [1, 1, 0, 0]
    """
    xy, mass = np.asarray(points, dtype=np.float64).reshape(-1, 2), np.asarray(weights, dtype=np.float64)
    _check(xy, mass, cutoff, choose, num_clusters)
    if len(xy) == 0:
        empty = np.zeros(0)
        return DensityPeakResult(empty.astype(np.int64), empty.astype(np.int64), empty, empty)
    apart = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(axis=2))
    density = np.exp(-((apart / cutoff) ** 2)) @ mass
    # Ties of density go to the earlier point.
    order = np.argsort(-density, kind='stable')
    distance, parent = np.empty(len(xy)), np.empty(len(xy), dtype=np.int64)
    for rank, point in enumerate(order):
        if rank == 0:
            distance[point], parent[point] = max(float(apart[point].max()), min_distance), point
            continue
        denser = order[:rank]
        nearest = int(denser[apart[point, denser].argmin()])
        distance[point], parent[point] = apart[point, nearest], nearest
    centres = _centres(density, distance, order, min_distance, min_density, num_clusters, choose)
    labels: IntArray = np.full(len(xy), -1, dtype=np.int64)
    labels[centres] = np.arange(len(centres))
    for point in order:
        if labels[point] < 0:
            labels[point] = labels[parent[point]]
    if remove_halo and len(centres) > 1:
        labels = _without_halo(labels, centres, density, apart, cutoff)
    return DensityPeakResult(labels, centres, density, distance)


def _check(xy: FloatArray, mass: FloatArray, cutoff: float, choose: str, num_clusters: int | None) -> None:
    if mass.shape != (len(xy),):
        raise ValueError(f'expected points (n, 2) and weights (n,), got {xy.shape} and {mass.shape}')
    if not (np.isfinite(xy).all() and np.isfinite(mass).all()) or (mass <= 0).any():
        raise ValueError('points and weights must be finite and weights positive')
    if cutoff <= 0:
        raise ValueError(f'cutoff must be positive, got {cutoff}')
    if choose not in ('threshold', 'gap'):
        raise ValueError(f"choose must be 'threshold' or 'gap', got {choose!r}")
    if num_clusters is not None and num_clusters < 1:
        raise ValueError(f'num_clusters must be at least 1, got {num_clusters}')


def _centres(
    density: FloatArray,
    distance: FloatArray,
    order: IntArray,
    min_distance: float,
    min_density: float,
    num_clusters: int | None,
    choose: str,
) -> IntArray:
    """Indices of the centres by falling density; the densest point is always one."""
    product = (density * distance)[order]
    if num_clusters is not None:
        return order[np.sort(np.argsort(-product, kind='stable')[:num_clusters])]
    if choose == 'threshold':
        chosen = (distance[order] >= min_distance) & (density[order] >= min_density * density.max())
        chosen[0] = True
        return order[chosen]
    ranked = np.argsort(-product, kind='stable')
    if len(ranked) == 1:
        return order
    falling = product[ranked]
    drops = falling[:-1] / np.maximum(falling[1:], 1e-12)
    return order[np.sort(ranked[: int(drops.argmax()) + 1])]


def _without_halo(
    labels: IntArray, centres: IntArray, density: FloatArray, apart: FloatArray, cutoff: float
) -> IntArray:
    """Drop the members that are no denser than the border of their cluster to another one; centres always stay."""
    border = (labels[:, None] != labels[None]) & (apart <= cutoff)
    pair_density = np.where(border, (density[:, None] + density[None]) / 2, 0.0).max(axis=1)
    limits = np.zeros(labels.max() + 1)
    np.maximum.at(limits, labels, pair_density)
    kept = density > limits[labels]
    kept[centres] = True
    return np.where(kept, labels, -1)
