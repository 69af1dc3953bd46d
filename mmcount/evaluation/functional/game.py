"""Grid average mean absolute error: is the count right, and in the right place?"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
Extent = tuple[float, float, float, float]


def _overlap(cells: int, low: float, high: float, regions: int, size: float) -> FloatArray:
    """Share of each of the cells of [low, high) that lies in each of the regions of [-0.5, size - 0.5).

    The first and the last region reach to infinity, so that the shares of every cell sum to one.
    """
    edges = np.linspace(low, high, cells + 1)
    borders = np.linspace(-0.5, size - 0.5, regions + 1)[1:-1]
    below = np.clip((borders[:, None] - edges[:-1]) / np.diff(edges), 0, 1)
    # Cumulated share of the cell that lies before each border, then differences: exact sums, no region can miss any.
    cumulated = np.vstack([np.zeros(cells), below, np.ones(cells)])
    return np.diff(cumulated, axis=0)


def region_density(
    density: ArrayLike, level: int, img_shape: tuple[int, int] | None = None, extent: Extent | None = None
) -> FloatArray:
    """Objects of a density map in each of 2^level x 2^level equal regions of the image.

    A cell of the map that lies across a border is split by area, and mass outside of the image belongs to the nearest
    region, so the regions always sum to the map.

    Args:
        density: Objects per cell.
        level: L >= 0.
        img_shape: (height, width) of the image, px; the shape of the map when it is not given.
        extent: (left, top, right, bottom) of the map in the image's pixel coordinates, where the image itself is
            (-0.5, -0.5, width - 0.5, height - 0.5); the image when it is not given.

    Shape:
        density: (h, w) -> (2^L, 2^L).

    Raises:
        ValueError: ``level`` is negative, the map is not (h, w), or the extent is empty.

    Example:
        >>> region_density([[1.0, 1.0, 1.0]], level=1).tolist()
        [[0.75, 0.75], [0.75, 0.75]]
    """
    array = np.asarray(density, dtype=np.float64)
    if array.ndim != 2 or not array.size:
        raise ValueError(f'density must be (h, w), got shape {array.shape}')
    if level < 0:
        raise ValueError(f'level must be at least 0, got {level}')
    height, width = img_shape or array.shape
    left, top, right, bottom = extent or (-0.5, -0.5, width - 0.5, height - 0.5)
    if left >= right or top >= bottom:
        raise ValueError(f'extent must be (left, top, right, bottom) with left < right and top < bottom, got {extent}')
    rows = _overlap(array.shape[0], top, bottom, 2**level, height)
    cols = _overlap(array.shape[1], left, right, 2**level, width)
    regions: FloatArray = rows @ array @ cols.T
    return regions


def region_points(
    points: ArrayLike, level: int, img_shape: tuple[int, int], weights: ArrayLike | None = None
) -> FloatArray:
    """Points in each of 2^level x 2^level equal regions of the image; points outside belong to the nearest region.

    Args:
        points: (x, y) in px, pixel centres at integers.
        level: L >= 0.
        img_shape: (height, width) of the image, px.
        weights: Objects at each point; 1 when not given.

    Shape:
        points: (N, 2), weights: (N,) -> (2^L, 2^L).

    Example:
        >>> region_points([[0, 0], [3, 0], [9, 9]], level=1, img_shape=(4, 4)).tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """
    array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if level < 0:
        raise ValueError(f'level must be at least 0, got {level}')
    if not np.isfinite(array).all():
        raise ValueError('a point is not finite')
    side = 2**level
    size = np.array([img_shape[1], img_shape[0]], dtype=np.float64)
    # The same borders as of the maps: a point on a border belongs to the region after it.
    cells = np.clip(np.floor((array + 0.5) / size * side), 0, side - 1).astype(np.int64)
    mass = np.ones(len(array)) if weights is None else np.asarray(weights, dtype=np.float64)
    counted = np.bincount(cells[:, 1] * side + cells[:, 0], weights=mass, minlength=side * side)
    return counted.astype(np.float64).reshape(side, side)


def game(
    pred_density: ArrayLike,
    points: ArrayLike,
    level: int,
    img_shape: tuple[int, int] | None = None,
    extent: Extent | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Error of one image summed over a grid of regions, in objects.

    ``GAME(L) = sum over 2^L x 2^L regions of |predicted - true|`` (Guerrero-Gomez-Olmedo et al., "Extremely
    Overlapping Vehicle Counting", 2015; the mean over images is what papers print). GAME(0) is the absolute count
    error, and GAME never falls when L grows.

    Args:
        pred_density: Predicted objects per cell.
        points: True (x, y) in px of the image, pixel centres at integers.
        level: L >= 0.
        img_shape: (height, width) of the image, px; the shape of the map when it is not given.
        extent: Where the map lies, as of :func:`region_density`.
        weights: True objects at each point; 1 when not given.

    Shape:
        pred_density: (h, w). points: (N, 2). weights: (N,).

    Example:
        One object on the left, its density on the right: the count is right, the place is not.

        >>> density = [[0.0, 0.0, 0.0, 1.0]] * 1
        >>> [game(density, [[0, 0]], level) for level in (0, 1)]
        [0.0, 2.0]
    """
    regions = region_density(pred_density, level, img_shape, extent)
    shape = img_shape or np.asarray(pred_density).shape
    return float(np.abs(regions - region_points(points, level, (shape[0], shape[1]), weights)).sum())
