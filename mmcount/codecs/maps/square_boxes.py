"""Square boxes at points from a map of log-areas, as IIM makes boxes for data sets that have none."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .instance_rules import nearest_others

FloatArray = NDArray[np.float64]
NEIGHBOURS = 3
#: The smallest log-area of IIM, a side of 7 px.
MIN_LOG_AREA = 4.0


def log_areas_at(
    scale_map: Tensor, points: NDArray[Any], img_shape: tuple[int, int], window: int = 199, step: int = 16
) -> FloatArray:
    """The largest log-area near each point.

    The map is max-pooled with ``window`` every ``step`` pixels, and each point reads the cell that it lies in. Points
    outside of the image read the nearest cell of it.

    Args:
        scale_map: (h, w) log-areas at a whole fraction of the image's resolution, at least as large as the image.
        points: (N, 2) float, (x, y) in pixels of the image, pixel centres at integers.
        img_shape: (height, width).
        window: Side of the window, px; odd.
        step: Pixels between two windows.

    Returns:
        (N,) float64.

    Raises:
        ValueError: The window is even, or window or step are smaller than 1.

    Example:
        >>> scale_map = torch.zeros(8, 8)
        >>> scale_map[1, 6] = 5.0
        >>> log_areas_at(scale_map, np.array([[0.0, 0.0], [4.0, 1.0]]), (8, 8), window=5, step=4).tolist()
        [0.0, 5.0]
    """
    if window < 1 or window % 2 == 0 or step < 1:
        raise ValueError(f'window must be odd and step at least 1, got window={window}, step={step}')
    if not len(points):
        return np.zeros(0)
    height, width = img_shape
    # Rows, then columns: the same maxima as of a square window in a fraction of the time.
    pooled = scale_map.detach().float()[None, None, :height, :width]
    pooled = F.max_pool2d(pooled, (window, 1), (step, 1), (window // 2, 0))
    pooled = F.max_pool2d(pooled, (1, window), (1, step), (0, window // 2))[0, 0]
    cells = np.clip(np.floor(np.asarray(points, dtype=np.float64) + 0.5), 0, (width - 1, height - 1)).astype(np.int64)
    column, row = torch.from_numpy(cells // step).to(pooled.device).unbind(dim=1)
    return pooled[row, column].double().cpu().numpy()


def smooth_log_areas(points: NDArray[Any], log_areas: NDArray[Any]) -> FloatArray:
    """Of each point and its three nearest others, the mean without the smallest value.

    Up to four points keep their own values. Distances that are equal go by the order of the points.

    Shape:
        points: (N, 2), log_areas: (N,) -> (N,) float64.

    Example:
        >>> points = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0]])
        >>> smooth_log_areas(points, np.array([4.0, 5.0, 6.0, 7.0, 8.0]))[[0, 4]].tolist()
        [6.0, 7.0]
    """
    log_areas = np.asarray(log_areas, dtype=np.float64)
    if len(points) <= NEIGHBOURS + 1:
        return log_areas.copy()
    near = nearest_others(np.asarray(points), NEIGHBOURS)
    values = np.sort(np.concatenate((log_areas[:, None], log_areas[near]), axis=1), axis=1)
    return values[:, 1:].mean(axis=1)


def square_boxes(
    points: NDArray[Any], log_areas: NDArray[Any], img_shape: tuple[int, int], min_log_area: float = MIN_LOG_AREA
) -> FloatArray:
    """Squares around points, clipped to the image.

    The side is the whole part of the root of the area. A point outside of the image is moved onto its border first, so
    that no box is empty.

    Args:
        points: (N, 2), (x, y), pixel centres at integers.
        log_areas: (N,), ln of px^2.
        img_shape: (height, width).
        min_log_area: Smaller ones are raised to this; 4 is a side of 7.

    Returns:
        (N, 4) float64 xyxy in pixel edges: the centre of pixel 3 is at 3.5.

    Example:
        >>> square_boxes(np.array([[20.0, 3.0]]), np.log([100.5]), (64, 64)).tolist()
        [[15.5, 0.0, 25.5, 8.5]]
    """
    height, width = img_shape
    sides = np.trunc(np.sqrt(np.exp(np.maximum(np.asarray(log_areas, dtype=np.float64), min_log_area))))
    centres = np.clip(np.asarray(points, dtype=np.float64).reshape(-1, 2) + 0.5, 0, (width, height))
    half = np.maximum(sides, 1)[:, None] / 2
    boxes = np.concatenate((centres - half, centres + half), axis=1)
    return np.clip(boxes, 0, (width, height, width, height))
