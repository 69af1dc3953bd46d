"""From clusters and mixtures to pointers: boxes and ellipses in pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .gaussian_mixture import GaussianMixture

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pointers:
    """K pointers at the objects of an image, in pixels, by falling score.

    Attributes:
        bboxes: (K, 4) float64, (x1, y1, x2, y2) in pixel edges; of an ellipse, the smallest box around it.
        scores: (K,) the share of the heat that each holds, or the prior of its Gaussian.
        ellipses: (K, 4) float64, (cx, cy, a, b): centre and half-axes along x and y; None where pointers are boxes.
    """

    bboxes: FloatArray
    scores: FloatArray
    ellipses: FloatArray | None = None


def ellipse_pointers(mixture: GaussianMixture, cell_size: tuple[float, float]) -> Pointers:
    """The one-sigma ellipse of each Gaussian (C2P).

    It holds 39 % of the mass: a pointer lies inside of its object rather than around it.

    Args:
        mixture: In cells, pixel edges of the map at integers.
        cell_size: (width, height) of a cell in pixels.

    Example:
        >>> one = GaussianMixture(np.array([[2.0, 1.0]]), np.array([[1.0, 0.25]]), np.ones(1), 0.0)
        >>> ellipse_pointers(one, (10, 10)).bboxes.tolist()
        [[10.0, 5.0, 30.0, 15.0]]
    """
    size = np.asarray(cell_size, dtype=np.float64)
    centres, axes = mixture.means * size, np.sqrt(mixture.variances) * size
    boxes = np.concatenate([centres - axes, centres + axes], axis=1)
    return Pointers(boxes, mixture.priors, np.concatenate([centres, axes], axis=1))


def box_pointers(
    labels: ArrayLike, heat: ArrayLike, cell_size: tuple[float, float], min_share: float = 0.0
) -> Pointers:
    """The smallest box around the cells of each cluster (P2C).

    Args:
        labels: (h, w) cluster of each cell, -1 for none.
        heat: (h, w).
        cell_size: (width, height) of a cell in pixels.
        min_share: Only around the cells with at least this share of the heat of the hottest one of the cluster. Heat
            spreads as far as the receptive field reaches, beyond the object.

    Example:
        >>> box_pointers([[0, 0, -1]], [[1, 2, 0]], (16, 16)).bboxes.tolist()
        [[0.0, 0.0, 32.0, 16.0]]
    """
    clusters, mass = np.asarray(labels), np.asarray(heat, dtype=np.float64)
    boxes, scores = [], []
    for cluster in range(int(clusters.max(initial=-1)) + 1):
        own = clusters == cluster
        rows, columns = np.nonzero(own & (mass >= min_share * mass[own].max()))
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        scores.append(mass[own].sum() / mass.sum())
    order = np.argsort(-np.asarray(scores), kind='stable')
    size = np.tile(np.asarray(cell_size, dtype=np.float64), 2)
    return Pointers(np.asarray(boxes, dtype=np.float64).reshape(-1, 4)[order] * size, np.asarray(scores)[order])
