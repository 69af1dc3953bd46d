"""Subitizing: is the number right, class by class of numbers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def subitizing_table(
    pred: ArrayLike, true: ArrayLike, max_count: int = 4, scores: ArrayLike | None = None
) -> list[dict[str, float | str | int]]:
    """Accuracy and average precision of each count (Zhang et al., "Salient Object Subitizing", CVPR 2015).

    The last class is open: everything from ``max_count`` on is one class.

    Args:
        pred: (N,) predicted objects; rounded.
        true: (N,) objects.
        max_count: The open class.
        scores: (N, max_count + 1) score of each count, for the average precision; None leaves it out.

    Returns:
        One row per count and a last one, 'mean', over the counts that some image has. ``accuracy`` and ``AP`` are NaN
        for counts without images.

    Raises:
        ValueError: The shapes do not fit, or a number is negative or not finite.

    Example:
        >>> rows = subitizing_table([1, 7, 0], [1, 4, 1])
        >>> [(row['count'], row['accuracy']) for row in rows if row['images']]
        [('1', 0.5), ('4+', 1.0), ('mean', 0.75)]
    """
    predicted, actual = _classes(pred, max_count, 'pred'), _classes(true, max_count, 'true')
    if predicted.shape != actual.shape:
        raise ValueError(f'pred and true must agree in number, got {len(predicted)} and {len(actual)}')
    ranked = None if scores is None else np.asarray(scores, dtype=np.float64)
    if ranked is not None and ranked.shape != (len(actual), max_count + 1):
        raise ValueError(f'scores must be ({len(actual)}, {max_count + 1}), got {ranked.shape}')
    rows: list[dict[str, float | str | int]] = []
    for count in range(max_count + 1):
        own = actual == count
        accuracy = float((predicted[own] == count).mean()) if own.any() else float('nan')
        row: dict[str, float | str | int] = {
            'count': f'{count}+' if count == max_count else str(count),
            'images': int(own.sum()),
            'accuracy': accuracy,
        }
        if ranked is not None:
            row['AP'] = ranked_precision(ranked[:, count], own)
        rows.append(row)
    mean: dict[str, float | str | int] = {'count': 'mean', 'images': len(actual)}
    for key in ('accuracy', 'AP') if ranked is not None else ('accuracy',):
        known = [float(row[key]) for row in rows if row['images']]
        mean[key] = float(np.mean(known)) if known else float('nan')
    return [*rows, mean]


def ranked_precision(scores: ArrayLike, positive: ArrayLike) -> float:
    """Average precision of a ranking: the mean, over the positives, of the precision down to each of them.

    Equal scores are one place of the ranking, so that the order of the images does not matter.

    Args:
        scores: (N,).
        positive: (N,) bool.

    Returns:
        NaN without positives.

    Example:
        >>> round(ranked_precision([0.9, 0.8, 0.7], [True, False, True]), 4)
        0.8333
    """
    values, wanted = np.asarray(scores, dtype=np.float64), np.asarray(positive, dtype=bool)
    if not wanted.any():
        return float('nan')
    order = np.argsort(-values, kind='stable')
    hits = np.cumsum(wanted[order])
    # The last position of each run of equal scores.
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    precision = hits[ends] / (ends + 1)
    gained = np.diff(np.append(0, hits[ends]))
    return float((precision * gained).sum() / wanted.sum())


def _classes(counts: ArrayLike | Sequence[float], max_count: int, name: str) -> NDArray[np.int64]:
    values = np.asarray(counts, dtype=np.float64).reshape(-1)
    if not np.isfinite(values).all() or (values < -0.5).any():
        raise ValueError(f'{name} must be finite counts of 0 or more')
    # Halves are rounded up: 0.5 objects are one.
    return np.minimum(np.floor(values + 0.5), max_count).astype(np.int64)
