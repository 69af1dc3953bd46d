"""Calls of codecs on plain arrays."""

import numpy as np

from mmcount.structures import Objects


def objects_of(places, labels=None):
    """Objects of (N, 2) points or (N, 4) boxes."""
    places = np.asarray(places, dtype=np.float64)
    if places.ndim == 2 and places.shape[1] == 4:
        return Objects((places[:, :2] + places[:, 2:] - 1) / 2, labels, bboxes=places)
    return Objects(places, labels)


def encoded(codec, places, labels, shape, halo=0):
    """(C, h, w) target of an image of (height, width)."""
    return codec.encode(objects_of(places, labels), codec.grid(shape, halo))['data']


def decoded(codec, maps, shape, points=None, labels=None, threshold=None):
    """Prediction of a (C, h, w) map of an image of (height, width)."""
    maps = (maps,) if threshold is None else (maps, threshold)
    known = None if points is None else objects_of(np.asarray(points).reshape(-1, 2), labels)
    return codec.decode(maps, codec.grid(shape), known)
