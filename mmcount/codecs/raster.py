"""From points in pixels to the pixels that hold them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
