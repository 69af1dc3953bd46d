"""From points in pixels to the pixels that hold them."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Extent = tuple[float, float, float, float]


def points_to_pixels(points: NDArray[Any], img_shape: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Row and column of the pixel that holds each point.

    Args:
        points: (N, 2) float, (x, y), pixel centres at integers: pixel c covers [c - 0.5, c + 0.5).
        img_shape: (height, width).

    Returns:
        rows and cols, (N,) int64 each.

    Raises:
        ValueError: a point is not finite or lies outside the image.

    Example:
        >>> points_to_pixels(np.array([[3.4, 0.6]]), (5, 5))
        (array([1]), array([3]))
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    pixels = np.floor(points + 0.5)
    height, width = img_shape
    inside = (pixels >= 0).all(axis=1) & (pixels[:, 0] < width) & (pixels[:, 1] < height)
    if not inside.all():
        index = int(np.flatnonzero(~inside)[0])
        raise ValueError(
            f'point {index} at (x, y) = {tuple(points[index].tolist())} lies outside the {width} x {height} image; '
            f'{int((~inside).sum())} of {len(points)} points do'
        )
    return pixels[:, 1].astype(np.int64), pixels[:, 0].astype(np.int64)


def unit_density(
    points: Tensor, labels: Tensor, num_classes: int, img_shape: tuple[int, int], cell: int
) -> tuple[Tensor, Extent]:
    """A density with one object in the cell of each point.

    Args:
        points: (N, 2) float, (x, y), pixel centres at integers. Those outside of the image go to its nearest cell.
        labels: (N,) int64 in 0..num_classes-1.
        num_classes: C.
        img_shape: (height, width).
        cell: Side of a cell, pixels. The last ones may reach over the border of the image.

    Returns:
        (C, ceil(height / cell), ceil(width / cell)) float32, and the (left, top, right, bottom) that it covers.

    Example:
        >>> density, extent = unit_density(torch.tensor([[3.4, 0.6]]), torch.tensor([0]), 1, (3, 5), cell=2)
        >>> density.tolist(), extent
        ([[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]], (-0.5, -0.5, 5.5, 3.5))
    """
    height, width = (-(-side // cell) for side in img_shape)
    column, row = ((points + 0.5) / cell).floor().long().unbind(dim=1)
    # Flat: on a large map an addition by three indices takes several times as long.
    cells = (labels * height + row.clamp(0, height - 1)) * width + column.clamp(0, width - 1)
    density = torch.zeros(num_classes, height, width, device=points.device)
    density.view(-1).index_add_(0, cells, density.new_ones(len(cells)))
    return density, (-0.5, -0.5, width * cell - 0.5, height * cell - 0.5)
