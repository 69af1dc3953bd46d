"""Ways to split a heat map into objects; each says by itself how many there are."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from mmcount.ops import find_peaks
from mmcount.registry import TASK_UTILS

from .density_peak_clusters import density_peak_clusters
from .heat_maps import weighted_cells

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


class CellClusterer(ABC):
    """Base: from the heat of cells to the cluster of each cell."""

    def __call__(self, heat: ArrayLike, num_clusters: int | None = None) -> IntArray:
        """Split a map.

        Args:
            heat: (h, w), not negative; cells without heat belong to no cluster.
            num_clusters: How many clusters there are, where somebody knows; None to find out. Fewer come back where
                the map has not as many parts.

        Returns:
            (h, w) index of the cluster of each cell, 0..K-1, or -1.

        Raises:
            ValueError: ``heat`` is no map or negative somewhere, or ``num_clusters`` is below 1.
        """
        if num_clusters is not None and num_clusters < 1:
            raise ValueError(f'num_clusters must be at least 1, got {num_clusters}')
        array = np.asarray(heat, dtype=np.float64)
        points, weights = weighted_cells(array)
        labels = np.full(array.shape, -1, dtype=np.int64)
        if len(points):
            rows, columns = np.nonzero(array)
            labels[rows, columns] = self.cluster(array, points, weights, num_clusters)
        return labels

    @abstractmethod
    def cluster(self, heat: FloatArray, points: FloatArray, weights: FloatArray, num_clusters: int | None) -> IntArray:
        """The (n,) cluster of each cell with heat.

        Args:
            heat: (h, w).
            points: (n, 2) centres of the cells with heat, in raster order; n >= 1.
            weights: (n,) their heat.
            num_clusters: As in ``__call__``.
        """


@TASK_UTILS.register_module()
class DensityPeakClusterer(CellClusterer):
    """:func:`density_peak_clusters` on the cells; the arguments are its own."""

    def __init__(
        self,
        cutoff: float = 1.0,
        min_distance: float = 2.5,
        min_density: float = 0.2,
        choose: str = 'threshold',
        remove_halo: bool = False,
    ) -> None:
        self.options: dict[str, Any] = dict(
            cutoff=cutoff,
            min_distance=min_distance,
            min_density=min_density,
            choose=choose,
            remove_halo=remove_halo,
        )
        # Nonsense is refused when the config is built, not at the first image.
        density_peak_clusters(np.zeros((1, 2)), np.ones(1), **self.options)

    def cluster(self, heat: FloatArray, points: FloatArray, weights: FloatArray, num_clusters: int | None) -> IntArray:
        """See the base."""
        return density_peak_clusters(points, weights, num_clusters=num_clusters, **self.options).labels


@TASK_UTILS.register_module()
class ConnectedCellClusterer(CellClusterer):
    """Cells that touch, at sides or corners, are one object.

    A known number keeps the components with the most heat.

    Args:
        min_cells: Smaller components are no object.
    """

    def __init__(self, min_cells: int = 1) -> None:
        self.min_cells = min_cells

    def cluster(self, heat: FloatArray, points: FloatArray, weights: FloatArray, num_clusters: int | None) -> IntArray:
        """See the base."""
        components, _ = ndimage.label(heat > 0, structure=np.ones((3, 3)))
        return _largest(components[heat > 0] - 1, weights, num_clusters, self.min_cells)


@TASK_UTILS.register_module()
class LocalMaximumClusterer(CellClusterer):
    """One object per local maximum; every cell goes to the nearest one.

    Args:
        radius: Half-size of the window of a maximum, in cells.
        min_heat: Lower maxima are none, as a share of the highest.
    """

    def __init__(self, radius: int = 2, min_heat: float = 0.2) -> None:
        self.radius = radius
        self.min_heat = min_heat

    def cluster(self, heat: FloatArray, points: FloatArray, weights: FloatArray, num_clusters: int | None) -> IntArray:
        """See the base."""
        import torch

        positions, values = find_peaks(torch.from_numpy(heat)[None, None], self.radius, threshold=0.0)
        ranked = values.argsort(descending=True, stable=True)
        if num_clusters is None:
            ranked = ranked[values[ranked] >= self.min_heat * float(heat.max())]
        peaks = positions[ranked[:num_clusters]][:, [3, 2]].double().numpy() + 0.5
        apart = ((points[:, None] - peaks[None]) ** 2).sum(axis=2)
        return apart.argmin(axis=1).astype(np.int64)


@TASK_UTILS.register_module()
class MeanShiftClusterer(CellClusterer):
    """scikit-learn's mean shift; cells are repeated by their heat, as it takes no weights.

    A known number keeps the clusters with the most heat, and gives the other cells to the nearest of them.

    Args:
        bandwidth: Of the kernel, in cells.
        levels: Repetitions of the hottest cell.
    """

    def __init__(self, bandwidth: float = 2.0, levels: int = 10) -> None:
        self.bandwidth = bandwidth
        self.levels = levels

    def cluster(self, heat: FloatArray, points: FloatArray, weights: FloatArray, num_clusters: int | None) -> IntArray:
        """See the base."""
        from sklearn.cluster import MeanShift

        repeats = np.maximum(np.rint(weights / weights.max() * self.levels), 1).astype(np.int64)
        shifted = MeanShift(bandwidth=self.bandwidth).fit(np.repeat(points, repeats, axis=0))
        return _nearest_kept(points, weights, shifted.predict(points).astype(np.int64), num_clusters)


@TASK_UTILS.register_module()
class DBSCANClusterer(CellClusterer):
    """scikit-learn's DBSCAN with the heat as weights; cells in sparse places belong to no object.

    A known number keeps the clusters with the most heat.

    Args:
        radius: Of a neighbourhood, in cells.
        min_heat: Sum of the heat in a neighbourhood that makes its centre the core of an object, where the hottest cell
            has 1.
    """

    def __init__(self, radius: float = 1.5, min_heat: float = 1.0) -> None:
        self.radius = radius
        self.min_heat = min_heat

    def cluster(self, heat: FloatArray, points: FloatArray, weights: FloatArray, num_clusters: int | None) -> IntArray:
        """See the base."""
        from sklearn.cluster import DBSCAN

        # The bound has to be a whole number, weights need not.
        shares = weights / weights.max() / self.min_heat
        found = DBSCAN(eps=self.radius, min_samples=1).fit(points, sample_weight=shares)
        return _largest(found.labels_.astype(np.int64), weights, num_clusters)


def _heats(labels: IntArray, weights: FloatArray) -> FloatArray:
    size = int(labels.max(initial=-1)) + 1
    return np.bincount(labels[labels >= 0], weights[labels >= 0], minlength=size).astype(np.float64)


def _largest(labels: IntArray, weights: FloatArray, num_clusters: int | None, min_cells: int = 1) -> IntArray:
    """Keep the clusters that are large enough, and of these the ones with the most heat; renumbered by falling heat."""
    heats = _heats(labels, weights)
    sizes = np.bincount(labels[labels >= 0], minlength=len(heats))
    order = np.argsort(-heats, kind='stable')
    order = order[sizes[order] >= min_cells][:num_clusters]
    names = np.full(len(heats) + 1, -1, dtype=np.int64)
    names[order] = np.arange(len(order))
    return names[labels]  # -1 reads the last name, which is -1


def _nearest_kept(points: FloatArray, weights: FloatArray, labels: IntArray, num_clusters: int | None) -> IntArray:
    kept = _largest(labels, weights, num_clusters)
    if (kept >= 0).all():
        return kept
    centres = np.stack(
        [np.average(points[kept == k], axis=0, weights=weights[kept == k]) for k in range(kept.max() + 1)]
    )
    nearest = ((points[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    return np.where(kept >= 0, kept, nearest)
