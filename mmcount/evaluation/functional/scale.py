"""Errors of the sizes of objects: logarithms of areas, and overlaps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def _checked(boxes: ArrayLike) -> FloatArray:
    array = np.asarray(boxes, dtype=np.float64)
    return array if array.size else array.reshape(0, 4)


def box_log_areas(boxes: ArrayLike) -> FloatArray:
    """The natural logarithm of the areas of boxes; of less than a pixel, 0.

    Shape:
        boxes: (N, 4) xyxy -> (N,).

    Example:
        >>> box_log_areas([[0, 0, 10, 10], [3, 3, 3, 9]]).round(3).tolist()
        [4.605, 0.0]
    """
    array = _checked(boxes)
    sides = np.maximum(array[:, 2:4] - array[:, :2], 0)
    logs: FloatArray = np.log(np.maximum(sides.prod(axis=1), 1))
    return logs


def paired_iou(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Intersection over union of each box and its counterpart; 0 where both are empty.

    Shape:
        first, second: (N, 4) xyxy -> (N,).

    Example:
        >>> paired_iou([[0, 0, 2, 2]], [[1, 0, 3, 2]]).round(3).tolist()
        [0.333]
    """
    one, other = _checked(first), _checked(second)
    shared = np.minimum(one[:, 2:4], other[:, 2:4]) - np.maximum(one[:, :2], other[:, :2])
    intersection = np.maximum(shared, 0).prod(axis=1)
    areas = [np.maximum(boxes[:, 2:4] - boxes[:, :2], 0).prod(axis=1) for boxes in (one, other)]
    union = areas[0] + areas[1] - intersection
    ious: FloatArray = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return ious


def score_sizes(predicted: ArrayLike, true: ArrayLike) -> dict[str, float]:
    """Sums over the objects of one image, each box with its counterpart.

    Args:
        predicted: (N, 4) xyxy.
        true: (N, 4) xyxy, in the same order.

    Returns:
        ``objects``; ``error`` and ``bias``, sums of the absolute and of the signed errors of the log-area; ``iou``,
        the sum of the overlaps.

    Raises:
        ValueError: The numbers of boxes differ, or a number is not finite.
    """
    one, other = _checked(predicted), _checked(true)
    if one.shape != other.shape:
        raise ValueError(f'each object needs one predicted and one true box, got {len(one)} and {len(other)}')
    for name, boxes in (('predicted', one), ('true', other)):
        finite = np.isfinite(boxes).all(axis=1)
        if not finite.all():
            raise ValueError(f'{name} box {int(np.argmin(finite))} is not finite: {boxes[np.argmin(finite)].tolist()}')
    errors = box_log_areas(one) - box_log_areas(other)
    return dict(
        objects=float(len(one)),
        error=float(np.abs(errors).sum()),
        bias=float(errors.sum()),
        iou=float(paired_iou(one, other).sum()),
    )


def size_errors(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Means over all objects of a data set.

    Args:
        records: From :func:`score_sizes`, one for each image.

    Returns:
        ``log_area_MAE``, ``log_area_bias`` (positive: too large) and ``mIoU``; NaN if there is no object.

    Example:
        >>> errors = size_errors([score_sizes([[0, 0, 10, 10]], [[0, 0, 10, 20]])])
        >>> {key: round(value, 3) for key, value in errors.items()}
        {'log_area_MAE': 0.693, 'log_area_bias': -0.693, 'mIoU': 0.5}
    """
    total = {key: float(np.sum([record[key] for record in records])) for key in ('objects', 'error', 'bias', 'iou')}
    means = {key: total[key] / total['objects'] if total['objects'] else np.nan for key in ('error', 'bias', 'iou')}
    return {'log_area_MAE': means['error'], 'log_area_bias': means['bias'], 'mIoU': means['iou']}
