"""Counts of whole images, and supervision that knows them only up to a limit."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.utils.errors import AnnotationError

# float32 counts are exact up to here
MAX_COUNT = 2**24

# What lower-count supervision lets through. It is a list of what is allowed, not of what is forbidden: whatever else a
# reader says of an image (boxes, masks, levels of its own) may tell how many objects there are.
LIMITED_KEYS = ('img', 'img_path', 'img_id', 'height', 'width', 'num_classes', 'sample_idx')


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

    Example:
        >>> info = dict(labels=np.array([0, 1, 1]), counts=np.array([1, 2, 3]), ignore_flags=[False, False, True])
        >>> total_counts(info, 2).tolist()
        [1.0, 2.0]
    """
    if info.get('image_counts') is not None:
        return np.array(info['image_counts'], dtype=np.float32)
    labels = np.asarray(info.get('labels', ()), dtype=np.int64)
    counts = np.array(info.get('counts', np.ones(len(labels))), dtype=np.float64)
    counts[np.asarray(info.get('ignore_flags', np.zeros(len(labels))), dtype=bool)] = 0
    return np.bincount(labels, weights=counts, minlength=num_classes).astype(np.float32)


def limit_counts(info: Mapping[str, Any], limit: int, num_classes: int) -> dict[str, Any]:
    """Keep of an image's annotation only its counts, and of a count above the limit only that it is above.

    This is lower-count supervision (Cholakkal et al., Object Counting and Instance Segmentation with Image-level
    Supervision, CVPR 2019, sec. 3): with ``limit=4`` an annotator says 0, 1, 2, 3, 4, or "5 or more". Nothing that is
    computed from the result, a loss included, can depend on more than that.

    Args:
        info: The dict of an image.
        limit: Largest count that is told exactly.
        num_classes: C.

    Returns:
        A new dict: the image, its name and size, and ``image_counts`` = min(count, limit + 1), (C,) float32.

    Example:
        >>> info = dict(img_id='a', points=[[0, 0]] * 9, labels=[0] * 7 + [1] * 2)
        >>> limited = limit_counts(info, 4, num_classes=3)
        >>> limited['image_counts'].tolist(), sorted(limited)
        ([5.0, 2.0, 0.0], ['image_counts', 'img_id'])
    """
    limited = {key: info[key] for key in LIMITED_KEYS if key in info}
    limited['image_counts'] = np.minimum(total_counts(info, num_classes), np.float32(limit + 1))
    return limited
