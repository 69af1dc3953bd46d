"""The dict of one image, as data sets give it to pipelines: what must hold of it, and the counts that it states."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.utils.errors import AnnotationError
from mmcount.utils.numbers import MAX_COUNT

# name, shape and type of the arrays with one entry per object
_ARRAYS: tuple[tuple[str, tuple[int, ...], type], ...] = (
    ('points', (-1, 2), np.float32),
    ('labels', (-1,), np.int64),
    ('bboxes', (-1, 4), np.float32),
    ('counts', (-1,), np.int64),
    ('ignore_flags', (-1,), np.bool_),
)


def check_data_info(info: Mapping[str, Any], num_classes: int) -> dict[str, Any]:
    """Return the dict of an image with the types of the contract, or raise.

    The keys are those of :class:`mmcount.datasets.CountDataset`. Missing ``points`` become the centres of the boxes. An
    image of which only ``image_counts`` or ``labels`` are known gets no points: none would be a statement about where
    its objects are.

    Args:
        info: The dict; it is not changed.
        num_classes: C.

    Raises:
        AnnotationError: The objects are no arrays of the contract, differ in number, or have labels outside of
            0..C-1, counts that are no whole numbers of at least 1, or coordinates that are not finite; or
            ``image_counts`` are not C whole numbers of at least 0; or there is neither. Names the image and the object.

    Example:
        >>> info = check_data_info(dict(img_id='a', bboxes=[[0, 0, 4, 2]], labels=[1]), 2)
        >>> info['points'].tolist(), info['labels'].dtype
        ([[1.5, 0.5]], dtype('int64'))
    """
    name = str(info.get('img_path') or info.get('img_id') or 'an image without img_path and img_id')
    checked = dict(info)
    if info.get('image_counts') is not None:
        checked['image_counts'] = _image_counts(info['image_counts'], num_classes, name)
        if all(info.get(key) is None for key, *_ in _ARRAYS):
            return checked
    if info.get('labels') is None:
        raise AnnotationError("has no 'labels' of objects to count, and no 'image_counts' alone", name)
    for key, shape, dtype in _ARRAYS:
        if checked.get(key) is None:
            checked.pop(key, None)
        else:
            checked[key] = _array(checked[key], key, shape, dtype, name)
    if (checked.get('counts', np.ones(1)) < 1).any():
        raise AnnotationError(f'counts must be at least 1, got {checked["counts"].min()}', name)
    labels = checked['labels']
    if 'points' not in checked and ('bboxes' in checked or not len(labels)):
        boxes = checked.get('bboxes', np.zeros((0, 4), np.float32))
        # a box ends at the edge of its last pixel, a point is the centre of its pixel
        checked['points'] = (boxes[:, :2] + boxes[:, 2:] - 1) / 2
    keys = [key for key in (*(key for key, *_ in _ARRAYS), 'masks') if checked.get(key) is not None]
    lengths = {key: len(checked[key]) for key in keys}
    if len(set(lengths.values())) > 1:
        raise AnnotationError(f'objects must agree in number, got {lengths}', name)
    outside = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(outside):
        raise AnnotationError(
            f'label {outside[0]} is {labels[outside[0]]}, expected 0..{num_classes - 1}: there are {num_classes} '
            'classes in metainfo',
            name,
        )
    return checked


def _array(values: Any, key: str, shape: tuple[int, ...], dtype: type, name: str) -> np.ndarray:
    """The entries of all objects as an array of ``dtype``; a copy only if it has to be."""
    try:
        given = np.asarray(values)
        with np.errstate(over='ignore', invalid='ignore'):  # named below
            array: np.ndarray = given.astype(dtype, copy=False)
    except (TypeError, ValueError) as error:
        raise AnnotationError(f"'{key}' are no numbers ({error})", name) from error
    if given.size and (given.ndim != len(shape) or given.shape[1:] != shape[1:]):
        expected = ', '.join(['N', *map(str, shape[1:])])
        raise AnnotationError(f"'{key}' must be ({expected}), got {given.shape}", name)
    # a cast would make 2 of 2.5
    good = np.isfinite(array) if dtype is np.float32 else np.asarray(given == array)
    if not good.all():
        index = int(np.argmin(good.reshape(len(good), -1).all(axis=1)))
        kind = 'finite numbers' if dtype is np.float32 else 'whole numbers'
        raise AnnotationError(f"'{key}' {index} is {given[index].tolist()}, expected {kind}", name)
    return array.reshape(shape)


def _image_counts(values: Any, num_classes: int, name: str) -> np.ndarray:
    """Counts of the whole image as (C,) float32."""
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
        info: The dict of an image, see :func:`check_data_info`.
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
    counts = np.ones(len(labels)) if info.get('counts') is None else np.array(info['counts'], dtype=np.float64)
    if info.get('ignore_flags') is not None:
        counts[np.asarray(info['ignore_flags'], dtype=bool)] = 0
    return np.bincount(labels, weights=counts, minlength=num_classes).astype(np.float32)
