"""Heat maps of objects: what is left of feature maps once their background is gone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def suppress_mean(stack: ArrayLike, times: float = 2.0) -> FloatArray:
    """Subtract a multiple of the mean, clip at zero and scale to a maximum of 1 (Point-and-Count, P2C).

    Args:
        stack: (h, w) sum of feature maps.
        times: How often the mean is subtracted.

    Returns:
        (h, w) heat in 0..1; all zero where nothing stands out.

    Raises:
        ValueError: ``stack`` is no finite (h, w) map.

    Example:
        >>> suppress_mean([[0, 0, 0, 8.0]]).tolist()
        [[0.0, 0.0, 0.0, 1.0]]
        >>> suppress_mean([[3.0, 3.0]]).tolist()
        [[0.0, 0.0]]
    """
    heat = _checked(stack)
    heat = np.maximum(heat - times * heat.mean(), 0.0)
    return heat / heat.max() if heat.max() > 0 else heat


def heat_for(stack: ArrayLike, num_objects: int, times: Sequence[float] = (2.0, 1.0, 0.0)) -> FloatArray:
    """The first of several suppressions that leaves a cell for every object.

    Args:
        stack: (h, w) feature map.
        num_objects: Cells that have to stay positive.
        times: Multiples of the mean to try, strongest first.

    Example:
        >>> heat_for([[0, 0, 1, 9.0]], num_objects=2).round(3).tolist()
        [[0.0, 0.0, 0.111, 1.0]]
    """
    heat = suppress_mean(stack, times[0])
    for factor in times[1:]:
        if np.count_nonzero(heat) >= num_objects:
            break
        heat = suppress_mean(stack, factor)
    return heat


def weighted_cells(heat: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """The cells with heat as points with weights.

    Args:
        heat: (h, w), not negative.

    Returns:
        (n, 2) centres of the cells, (x + 0.5, y + 0.5) in cells, in raster order, and their (n,) heat.

    Raises:
        ValueError: The heat is negative somewhere.

    Example:
        >>> centres, weights = weighted_cells([[0, 2.0], [0, 0]])
        >>> centres.tolist(), weights.tolist()
        ([[1.5, 0.5]], [2.0])
    """
    checked = _checked(heat)
    if checked.size and checked.min() < 0:
        raise ValueError(f'heat must not be negative, got {checked.min()}')
    rows, columns = np.nonzero(checked)
    centres = np.stack([columns, rows], axis=1).astype(np.float64) + 0.5
    return centres, checked[rows, columns]


def _checked(heat: ArrayLike) -> FloatArray:
    array = np.asarray(heat, dtype=np.float64)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(f'expected a finite (h, w) map, got shape {array.shape}')
    return array
