"""Count errors from two arrays: what was counted, what was there.

NumPy only. Every function takes ``pred`` and ``true`` of one shape, (T,) for one number per image or (T, C) for one
number per image and class, and computes in float64. Signed errors are ``pred - true``: a positive bias over-counts.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def _pair(pred: ArrayLike, true: ArrayLike) -> tuple[FloatArray, FloatArray]:
    pred_array, true_array = np.asarray(pred, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if pred_array.shape != true_array.shape:
        raise ValueError(f'pred and true must have one shape, got {pred_array.shape} and {true_array.shape}')
    if pred_array.ndim not in (1, 2):
        raise ValueError(f'counts must be (T,) or (T, C), got shape {pred_array.shape}')
    for name, array in (('pred', pred_array), ('true', true_array)):
        if not np.isfinite(array).all():
            raise ValueError(f'{name} has a count that is not finite at index {np.argwhere(~np.isfinite(array))[0]}')
    return pred_array, true_array


def _flat_pair(pred: ArrayLike, true: ArrayLike) -> tuple[FloatArray, FloatArray]:
    pred_array, true_array = _pair(pred, true)
    if pred_array.ndim != 1 or not pred_array.size:
        raise ValueError(f'one count for each of at least one image is needed, got shape {pred_array.shape}')
    return pred_array, true_array


def mae(pred: ArrayLike, true: ArrayLike) -> float:
    """Mean absolute error, in objects.

    Shape:
        pred, true: (T,), T >= 1.

    Raises:
        ValueError: The shapes differ, there is no image, or a count is not finite.

    Example:
        >>> mae([4, 0], [3, 0])
        0.5
    """
    return count_errors(pred, true)['MAE']


def rmse(pred: ArrayLike, true: ArrayLike) -> float:
    """Root of the mean squared error, in objects (crowd papers print it as "MSE").

    Shape:
        pred, true: (T,), T >= 1.

    Example:
        >>> rmse([4, 0], [1, 4])
        3.5355339059327378
    """
    return count_errors(pred, true)['RMSE']


def bias(pred: ArrayLike, true: ArrayLike) -> float:
    """Mean signed error, in objects: positive when the model over-counts.

    Shape:
        pred, true: (T,), T >= 1.

    Example:
        >>> bias([4, 0], [3, 3])
        -1.0
    """
    return count_errors(pred, true)['bias']


def error_std(pred: ArrayLike, true: ArrayLike) -> float:
    """Standard deviation of the signed error (divided by T), so that ``rmse**2 == bias**2 + error_std**2``.

    Shape:
        pred, true: (T,), T >= 1.

    Example:
        >>> error_std([5, 3], [3, 3])
        1.0
    """
    return count_errors(pred, true)['std']


def nae(pred: ArrayLike, true: ArrayLike) -> tuple[float, int]:
    """Mean of ``|error| / true`` over the images that hold an object, and the number of images left out.

    The ratio has no meaning on an image without objects; how many were left out is part of the answer. The first
    number is NaN when every image was left out.

    Shape:
        pred, true: (T,), T >= 1.

    Example:
        >>> nae([5, 1], [4, 0])
        (0.25, 1)
    """
    errors = count_errors(pred, true)
    return errors['NAE'], int(errors['NAE_left_out'])


def count_errors(pred: ArrayLike, true: ArrayLike) -> dict[str, float]:
    """The standard table of one number per image: MAE, RMSE, NAE, NAE_left_out, bias, std.

    Each is explained at the function of its name.

    Shape:
        pred, true: (T,), T >= 1.

    Raises:
        ValueError: The shapes differ, there is no image, or a count is not finite.

    Example:
        Five images: errors +1, -2, +3, 0 and, on the image without objects, +1.

        >>> errors = count_errors(pred=[3, 8, 23, 5, 1], true=[2, 10, 20, 5, 0])
        >>> errors['MAE']  # (1 + 2 + 3 + 0 + 1) / 5
        1.4
        >>> errors['RMSE']  # sqrt((1 + 4 + 9 + 0 + 1) / 5) = sqrt(3)
        1.7320508075688772
        >>> round(errors['NAE'], 4), errors['NAE_left_out']  # (1/2 + 2/10 + 3/20 + 0/5) / 4, one left out
        (0.2125, 1)
        >>> errors['bias']  # (1 - 2 + 3 + 0 + 1) / 5
        0.6
        >>> round(errors['std'], 4)  # sqrt(3 - 0.36)
        1.6248
    """
    pred_array, true_array = _flat_pair(pred, true)
    difference = pred_array - true_array
    absolute, kept = np.abs(difference), true_array > 0
    return {
        'MAE': float(absolute.mean()),
        'RMSE': float(np.sqrt(np.square(difference).mean())),
        'NAE': float((absolute[kept] / true_array[kept]).mean()) if kept.any() else float('nan'),
        'NAE_left_out': int(kept.size - kept.sum()),
        'bias': float(difference.mean()),
        'std': float(difference.std()),
    }


def errors_by_range(
    pred: ArrayLike, true: ArrayLike, edges: Sequence[float]
) -> list[tuple[float, float, int, dict[str, float]]]:
    """The error table of the images whose true count lies in each half-open range.

    Args:
        pred: Predicted counts.
        true: True counts.
        edges: Increasing lower edges; the last range is open. ``(0, 10, 100)`` means [0, 10), [10, 100), [100, inf).

    Returns:
        A (low, high, images, errors) for every range that holds an image; ``errors`` as of :func:`count_errors`.

    Shape:
        pred, true: (T,), T >= 1.

    Raises:
        ValueError: The edges do not increase.

    Example:
        >>> [(low, high, n) for low, high, n, _ in errors_by_range([1, 12, 13], [0, 10, 14], edges=(0, 10))]
        [(0, 10, 1), (10, inf, 2)]
    """
    pred_array, true_array = _flat_pair(pred, true)
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise ValueError(f'edges must increase, got {tuple(edges)}')
    table = []
    for index, low in enumerate(edges):
        high = edges[index + 1] if index + 1 < len(edges) else float('inf')
        inside = (true_array >= low) & (true_array < high)
        if inside.any():
            table.append((low, high, int(inside.sum()), count_errors(pred_array[inside], true_array[inside])))
    return table


def errors_by_count(pred: ArrayLike, true: ArrayLike) -> list[tuple[float, int, dict[str, float]]]:
    """The error table of the pairs that share a true count, for every true count that occurs.

    With (T, C) counts the pairs are (image, class), pooled over the classes, which shows whether a model that was
    trained on small counts also counts many objects (Cholakkal et al., "Object Counting and Instance Segmentation
    with Image-level Supervision", figure 6, there RMSE).

    Args:
        pred: Predicted counts; rounded by the caller if the protocol rounds.
        true: True counts.

    Returns:
        A (true count, pairs, errors) for each, in increasing order; ``errors`` as of :func:`count_errors`.

    Shape:
        pred, true: (T,) or (T, C), with at least one number.

    Raises:
        ValueError: The shapes differ, there is no number, or a count is not finite.

    Example:
        >>> table = errors_by_count(pred=[[0, 1], [2, 4]], true=[[0, 2], [2, 5]])
        >>> [(count, pairs, errors['RMSE']) for count, pairs, errors in table]
        [(0.0, 1, 0.0), (2.0, 2, 0.7071067811865476), (5.0, 1, 1.0)]
    """
    pred_array, true_array = (array.reshape(-1) for array in _pair(pred, true))
    if not true_array.size:
        raise ValueError('at least one count is needed')
    counts, index = np.unique(true_array, return_inverse=True)
    order = np.argsort(index, kind='stable')
    groups = np.split(order, np.cumsum(np.bincount(index))[:-1])
    return [
        (float(count), len(group), count_errors(pred_array[group], true_array[group]))
        for count, group in zip(counts, groups, strict=True)
    ]


def interval_coverage(interval: ArrayLike, true: ArrayLike) -> tuple[float, float]:
    """The share of true counts inside their predicted interval, and the mean width of the intervals in objects.

    Shape:
        interval: (T, 2) lower and upper bound, both inside. true: (T,), T >= 1.

    Raises:
        ValueError: A shape is wrong, or a lower bound is above its upper bound.

    Example:
        >>> interval_coverage([[0, 2], [5, 9]], [1, 10])
        (0.5, 3.0)
    """
    bounds, true_array = np.asarray(interval, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if true_array.ndim != 1 or not true_array.size or bounds.shape != (true_array.size, 2):
        raise ValueError(f'interval must be (T, 2) and true (T,), got {bounds.shape} and {true_array.shape}')
    low, high = bounds.T
    if not (low <= high).all():
        raise ValueError(f'interval {int(np.argmin(low <= high))} has its lower bound above its upper bound or is NaN')
    return float(((low <= true_array) & (true_array <= high)).mean()), float((high - low).mean())
