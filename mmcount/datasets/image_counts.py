"""Counts of whole images."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.utils.errors import AnnotationError

# float32 counts are exact up to here
MAX_COUNT = 2**24


def check_image_counts(values: Any, num_classes: int, name: str) -> np.ndarray:
    """Return counts of a whole image as (C,) float32, or raise.

    Args:
        values: C numbers.
        num_classes: C.
        name: What the message calls the image.

    Raises:
        AnnotationError: They are not C finite, whole numbers of at least 0.

    Example:
        >>> check_image_counts([2, 0], 2, 'a.jpg').tolist()
        [2.0, 0.0]
    """
    counts = np.asarray(values, dtype=np.float64)
    if counts.shape != (num_classes,):
        raise AnnotationError(f'image_counts must be ({num_classes},), one per class, got {counts.shape}', name)
    # NaN fails the first comparison
    bad = np.flatnonzero(~((counts >= 0) & (counts <= MAX_COUNT)) | (counts != np.floor(counts)))
    if len(bad):
        raise AnnotationError(
            f'image_counts of class {bad[0]} is {counts[bad[0]]:g}, expected a whole number in 0..{MAX_COUNT}', name
        )
    return counts.astype(np.float32)


def total_counts(info: Mapping[str, Any], num_classes: int) -> np.ndarray:
    """Objects of each class in the whole image: ``image_counts``, or else the objects that are not ignored.

    Args:
        info: The dict of an image, in the contract of :class:`mmcount.datasets.CountDataset`.
        num_classes: C.

    Returns:
        Shape (C,), float32.

    Raises:
        AnnotationError: The image has neither ``image_counts`` nor ``labels``; names it.

    Example:
        >>> info = dict(labels=np.array([0, 1, 1]), counts=np.array([1, 2, 3]), ignore_flags=[False, False, True])
        >>> total_counts(info, 2).tolist()
        [1.0, 2.0]
    """
    if info.get('image_counts') is not None:
        return np.array(info['image_counts'], dtype=np.float32)
    if info.get('labels') is None:
        name = str(info.get('img_path', info.get('img_id', '')))
        raise AnnotationError("has no annotation to count: neither 'image_counts' nor 'labels'", name)
    labels = np.asarray(info['labels'], dtype=np.int64)
    counts = np.array(info.get('counts', np.ones(len(labels))), dtype=np.float64)
    counts[np.asarray(info.get('ignore_flags', np.zeros(len(labels))), dtype=bool)] = 0
    return np.bincount(labels, weights=counts, minlength=num_classes).astype(np.float32)
