"""Joining stacked objects into counted boxes, as data sets of shelves annotate them."""

import numpy as np

__all__ = ['box_centres', 'enclosing_boxes', 'group_objects', 'overlap_of_smaller']


def overlap_of_smaller(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection of boxes as a share of the smaller one.

    Args:
        boxes: (N, 4) xyxy of positive area.
        others: (M, 4) xyxy of positive area.

    Returns:
        (N, M) float64 in 0..1.

    Example:
        >>> overlap_of_smaller(np.array([[0, 0, 4, 4]]), np.array([[2, 0, 4, 4], [9, 9, 10, 10]])).tolist()
        [[1.0, 0.0]]
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2, dtype=np.float64)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1, dtype=np.float64)
    other_areas = (others[:, 2:] - others[:, :2]).prod(axis=1, dtype=np.float64)
    return shared / np.minimum(areas[:, None], other_areas[None, :])


def group_objects(boxes: np.ndarray, labels: np.ndarray, min_overlap: float) -> np.ndarray:
    """Number the groups of overlapping objects of one class.

    Two objects of one class belong together when they overlap by more than ``min_overlap`` (see
    :func:`overlap_of_smaller`), or are linked by a chain of such pairs. Locount joins instances of a class that
    overlap by more than 0.5; what the overlap is a share of is not published, the smaller box is our reading.

    Args:
        boxes: (N, 4) xyxy.
        labels: (N,) integers.
        min_overlap: Overlap that must be exceeded.

    Returns:
        (N,) int64 group ids, 0, 1, ... in the order of the first member.

    Example:
        >>> boxes = np.array([[0, 0, 4, 4], [8, 8, 9, 9], [1, 0, 5, 4]])
        >>> group_objects(boxes, np.zeros(3, int), 0.5).tolist()
        [0, 1, 0]
    """
    linked = (overlap_of_smaller(boxes, boxes) > min_overlap) & (labels[:, None] == labels[None, :])
    np.fill_diagonal(linked, True)
    ids = np.arange(len(boxes), dtype=np.int64)
    while len(ids):
        # The smallest index reachable in one more step; a fixed point holds the first member of each group.
        spread = np.where(linked, ids[None, :], len(ids)).min(axis=1)
        if (spread == ids).all():
            break
        ids = spread
    return np.unique(ids, return_inverse=True)[1].astype(np.int64).reshape(-1)


def enclosing_boxes(boxes: np.ndarray, group_ids: np.ndarray) -> np.ndarray:
    """Smallest box around each group.

    Args:
        boxes: (N, 4) xyxy.
        group_ids: (N,) ids 0..G-1, each used.

    Returns:
        (G, 4), dtype of ``boxes``.
    """
    num_groups = int(group_ids.max()) + 1 if len(group_ids) else 0
    result = np.empty((num_groups, 4), dtype=boxes.dtype)
    for group in range(num_groups):
        members = boxes[group_ids == group]
        result[group, :2] = members[:, :2].min(axis=0)
        result[group, 2:] = members[:, 2:].max(axis=0)
    return result


def box_centres(boxes: np.ndarray) -> np.ndarray:
    """Centre of boxes as points with pixel centres at integers.

    Args:
        boxes: (N, 4) xyxy in edge convention: pixel c covers c..c+1.

    Returns:
        (N, 2) float32.

    Example:
        >>> box_centres(np.array([[2, 2, 5, 3]])).tolist()
        [[3.0, 2.0]]
    """
    return ((boxes[:, :2] + boxes[:, 2:] - 1) / 2).astype(np.float32)
