"""Pointing: does each object have a pointer that lies inside of it."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Assignment = Literal['greedy', 'optimal']


def box_containment(pointers: ArrayLike, boxes: ArrayLike) -> FloatArray:
    """Share of each pointer inside each box: area of the intersection by area of the pointer.

    Args:
        pointers: (P, 4) xyxy.
        boxes: (N, 4) xyxy.

    Returns:
        (P, N) in 0..1; 0 for pointers without area.

    Example:
        >>> box_containment([[0, 0, 2, 2]], [[0, 0, 9, 9], [1, 0, 9, 9]]).tolist()
        [[1.0, 0.5]]
    """
    first, second = _boxes(pointers, 'pointers'), _boxes(boxes, 'boxes')
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = np.maximum(first[:, 2:] - first[:, :2], 0).prod(axis=1)
    return np.divide(shared, areas[:, None], out=np.zeros_like(shared), where=areas[:, None] > 0)


def ellipse_containment(ellipses: ArrayLike, boxes: ArrayLike, resolution: int = 64) -> FloatArray:
    """As :func:`box_containment`, for ellipses along the axes, on a grid of points in each.

    Args:
        ellipses: (P, 4) (cx, cy, a, b), centres and half-axes.
        boxes: (N, 4) xyxy.
        resolution: Points along the longer and the shorter axis.

    Example:
        >>> ellipse_containment([[5, 5, 2, 1]], [[0, 0, 9, 9], [5, 0, 9, 9]]).tolist()
        [[1.0, 0.5]]
    """
    shapes, second = np.asarray(ellipses, dtype=np.float64).reshape(-1, 4), _boxes(boxes, 'boxes')
    steps = (np.arange(resolution) + 0.5) / resolution * 2 - 1
    x, y = (one.ravel() for one in np.meshgrid(steps, steps))
    inside = x**2 + y**2 <= 1
    offsets = np.stack([x[inside], y[inside]], axis=1)
    points = shapes[:, None, :2] + offsets[None] * shapes[:, None, 2:]
    held = (points[:, :, None] >= second[None, None, :, :2]) & (points[:, :, None] <= second[None, None, :, 2:])
    return held.all(axis=3).mean(axis=1)


def pointed_boxes(ratios: ArrayLike, threshold: float, assign: Assignment = 'greedy') -> BoolArray:
    """Mask of the boxes that have a pointer of their own.

    Args:
        ratios: (P, N) containment of pointers in boxes.
        threshold: A pointer serves a box where more of it than this lies inside.
        assign: 'greedy': boxes in their order take the remaining pointer that lies in them most. 'optimal': as many
            boxes as possible get one, whatever their order.

    Returns:
        (N,) bool.

    Raises:
        ValueError: ``ratios`` is no matrix, or ``assign`` is unknown.

    Example:
        >>> pointed_boxes([[1.0, 0.9]], 0.5).tolist()
        [True, False]
    """
    table = np.asarray(ratios, dtype=np.float64)
    if table.ndim != 2:
        raise ValueError(f'ratios must be (P, N), got {table.shape}')
    if assign not in ('greedy', 'optimal'):
        raise ValueError(f"assign must be 'greedy' or 'optimal', got {assign!r}")
    hit = np.zeros(table.shape[1], dtype=bool)
    if not table.size:
        return hit
    if assign == 'optimal':
        rows, columns = linear_sum_assignment(table > threshold, maximize=True)
        hit[columns] = table[rows, columns] > threshold
        return hit
    free = np.ones(len(table), dtype=bool)
    for box in range(table.shape[1]):
        best = int(np.where(free, table[:, box], -1.0).argmax())
        if free[best] and table[best, box] > threshold:
            hit[box], free[best] = True, False
    return hit


def _boxes(values: ArrayLike, name: str) -> FloatArray:
    array = np.asarray(values, dtype=np.float64).reshape(-1, 4)
    if not np.isfinite(array).all():
        raise ValueError(f'{name} must be finite')
    return array
