"""Detections and ground truth of a data set as flat tables, and their average precision over a grid of thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from mmcount.ops import average_precision_grid

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

#: Recalls at which COCO reads the precision.
RECALL_THRS = np.linspace(0.0, 1.0, 101)
#: 0.5, 0.55 ... 0.95.
GRID_THRS = np.linspace(0.5, 0.95, 10)


def _column(values: ArrayLike | None, name: str, size: int, dtype: Any, default: float = 0.0) -> NDArray[Any]:
    array = (
        np.full(size, default, dtype) if values is None else np.asarray(values).astype(dtype, copy=False).reshape(-1)
    )
    if len(array) != size:
        raise ValueError(f'{name} must be {size}, one for each box, got {len(array)}')
    if array.dtype.kind == 'f' and not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array)))
        raise ValueError(f'{name} must be finite, got {array[row]} at index {row}')
    return array


def _boxes(values: ArrayLike) -> FloatArray:
    boxes = np.asarray(values, dtype=np.float64)
    if boxes.size == 0:
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f'bboxes must be (N, 4), got {boxes.shape}')
    return boxes


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """Ground truth of a data set.

    Args:
        images: Number of the image of each box.
        labels: Class of each box.
        bboxes: ``(x, y, width, height)``, px of the original image.
        counts: Objects in each box; 1 where they are not given.
        areas: px^2; that of the box where they are not given. COCO has the area of the mask here.
        crowd: Boxes that need not be found and in which any number may be found.

    Shape:
        images, labels, counts, areas, crowd: (N,). bboxes: (N, 4).

    Raises:
        ValueError: The lengths differ, a number is not finite, or a count is below 1.
    """

    images: IntArray
    labels: IntArray
    bboxes: FloatArray
    counts: FloatArray
    areas: FloatArray
    crowd: BoolArray

    def __init__(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        bboxes: ArrayLike,
        counts: ArrayLike | None = None,
        areas: ArrayLike | None = None,
        crowd: ArrayLike | None = None,
    ) -> None:
        boxes = _boxes(bboxes)
        size = len(boxes)
        if not np.isfinite(boxes).all():
            row = int(np.argmin(np.isfinite(boxes).all(axis=1)))
            raise ValueError(f'bboxes must be finite, got {boxes[row].tolist()} at index {row}')
        flags = _column(crowd, 'crowd', size, np.bool_, False)
        numbers = _column(counts, 'counts', size, np.float64, 1)
        wrong = (numbers < 1) & ~flags
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f'counts must be at least 1, got {numbers[row]:g} at index {row}')
        fields: dict[str, Any] = {
            'images': _column(images, 'images', size, np.int64),
            'labels': _column(labels, 'labels', size, np.int64),
            'bboxes': boxes,
            'counts': np.maximum(numbers, 1.0),  # the count of a crowd is never read
            'areas': boxes[:, 2] * boxes[:, 3] if areas is None else _column(areas, 'areas', size, np.float64),
            'crowd': flags,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.bboxes)


@dataclass(frozen=True, eq=False)
class DetectedBoxes:
    """Detections in a data set.

    Args:
        images: Number of the image of each box.
        labels: Class of each box.
        bboxes: ``(x, y, width, height)``, px of the original image. A box that is not finite matches nothing.
        scores: Of the detections.
        counts: Objects in each box; 1 where they are not given.

    Shape:
        images, labels, scores, counts: (P,). bboxes: (P, 4).

    Raises:
        ValueError: The lengths differ, or a score or count is not finite.
    """

    images: IntArray
    labels: IntArray
    bboxes: FloatArray
    scores: FloatArray
    counts: FloatArray

    def __init__(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        bboxes: ArrayLike,
        scores: ArrayLike,
        counts: ArrayLike | None = None,
    ) -> None:
        boxes = _boxes(bboxes)
        size = len(boxes)
        # Untrained detectors emit infinite boxes; they are wrong, but no reason to end a training.
        boxes = np.where(np.isfinite(boxes).all(axis=1, keepdims=True), boxes, 0.0)
        fields: dict[str, Any] = {
            'images': _column(images, 'images', size, np.int64),
            'labels': _column(labels, 'labels', size, np.int64),
            'bboxes': boxes,
            'scores': _column(scores, 'scores', size, np.float64),
            'counts': _column(counts, 'counts', size, np.float64, 1),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.bboxes)


class GridScores(NamedTuple):
    """Average precisions of K classes, A subsets and T x C thresholds.

    Attributes:
        ap: (K, A, T, C); NaN if a class has no ground truth in a subset.
        recall: (K, A, T, C), of all detections.
        matches: (P,) the ground truth that each detection takes in the first cell of the first subset, or -1.
    """

    ap: FloatArray
    recall: FloatArray
    matches: IntArray


def _ordered(keys: Sequence[NDArray[Any]], ties: Sequence[NDArray[Any]]) -> IntArray:
    """Order by ``keys``, and only where those are equal by ``ties``; the first of each goes first."""
    order = np.lexsort(tuple(keys)[::-1])
    equal = np.ones(max(len(order) - 1, 0), dtype=bool)
    for key in keys:
        sorted_key = key[order]
        equal &= sorted_key[1:] == sorted_key[:-1]
    if not equal.any():
        return order
    return np.lexsort((*keys, *ties)[::-1])


def _groups(pred_keys: IntArray, gt_keys: IntArray, num_images: int) -> IntArray:
    """(G, 5) class and row ranges of each class in each image."""
    keys = np.union1d(pred_keys, gt_keys)
    ranges = [np.searchsorted(rows, keys, side) for rows in (pred_keys, gt_keys) for side in ('left', 'right')]
    return np.stack((keys // num_images, *ranges), axis=1).astype(np.int64)


class BoxGrid:
    """Detections beside ground truth in an order of their own, to be scored in several ways.

    The order of the tables does not matter: what COCO's own code decides by their order is decided here by content.
    Of detections with equal scores that of the lower image number goes first, then that of the smaller ``(x, y, width,
    height)``, then of the smaller count. A detection that overlaps two boxes equally takes the one whose count is
    closer, then that of the greater ``(x, y, width, height)``, count and area.

    Args:
        detections: Detections.
        truth: Ground truth.
        num_classes: K.
        max_dets: Detections of one class in one image that are taken, the best scored.

    Raises:
        ValueError: A label is not in 0..K-1, or ``max_dets`` is below 1.
    """

    def __init__(self, detections: DetectedBoxes, truth: TrueBoxes, num_classes: int, max_dets: int = 150) -> None:
        if max_dets < 1:
            raise ValueError(f'max_dets must be at least 1, got {max_dets}')
        for name, labels in (('detections', detections.labels), ('truth', truth.labels)):
            if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
                raise ValueError(
                    f'labels of {name} must be in 0..{num_classes - 1}, got {labels.min()}..{labels.max()}'
                )
        self.detections, self.truth, self.num_classes = detections, truth, num_classes
        # Images are renumbered without gaps, so that class and image fit into one key.
        known, numbers = np.unique(np.concatenate((detections.images, truth.images)), return_inverse=True)
        num_images = max(len(known), 1)
        pred_keys = detections.labels * num_images + numbers[: len(detections)]
        gt_keys = truth.labels * num_images + numbers[len(detections) :]
        order = _ordered((pred_keys, -detections.scores), (*detections.bboxes.T, detections.counts))
        keys = pred_keys[order]
        self._pred = order[np.arange(len(keys)) - np.searchsorted(keys, keys) < max_dets]
        self._gt = np.lexsort((truth.areas, truth.counts, *truth.bboxes.T[::-1], gt_keys))
        self._groups = _groups(pred_keys[self._pred], gt_keys[self._gt], num_images)

    def score(
        self,
        iou_thrs: ArrayLike = GRID_THRS,
        count_thrs: ArrayLike = GRID_THRS,
        detections_outside: ArrayLike | None = None,
        truth_outside: ArrayLike | None = None,
        use_counts: bool = True,
    ) -> GridScores:
        """Average precision of every class, subset and pair of thresholds.

        Args:
            iou_thrs: T ascending thresholds.
            count_thrs: C ascending thresholds of the accuracy of counts.
            detections_outside: Detections outside of each of A subsets; None for one subset with everything.
            truth_outside: Ground truth outside of each subset.
            use_counts: Whether to look at counts at all; else every accuracy is 1.

        Shape:
            detections_outside: (A, P) bool. truth_outside: (A, N) bool.

        Raises:
            ValueError: Thresholds are not ascending, or the subsets do not fit the tables.
        """
        detections, truth = self.detections, self.truth
        # A perfect box reaches a threshold of 1, as in COCO's code.
        ious = np.minimum(_ascending('iou_thrs', iou_thrs), 1 - 1e-10)
        accuracies = _ascending('count_thrs', count_thrs)
        pred_outside = _outside('detections_outside', detections_outside, len(detections))
        gt_outside = _outside('truth_outside', truth_outside, len(truth)) | truth.crowd
        if len(pred_outside) != len(gt_outside):
            raise ValueError(
                f'there are {len(pred_outside)} subsets of detections and {len(gt_outside)} of ground truth'
            )
        pred_counts, gt_counts = detections.counts[self._pred], truth.counts[self._gt]
        grid = average_precision_grid(
            _tensor(detections.bboxes[self._pred]),
            _tensor(detections.scores[self._pred]),
            _tensor(pred_counts if use_counts else np.ones_like(pred_counts)),
            _tensor(pred_outside[:, self._pred]),
            _tensor(truth.bboxes[self._gt]),
            _tensor(gt_counts if use_counts else np.ones_like(gt_counts)),
            _tensor(truth.crowd[self._gt]),
            _tensor(gt_outside[:, self._gt]),
            _tensor(self._groups),
            _tensor(ious),
            _tensor(accuracies),
            _tensor(RECALL_THRS),
            self.num_classes,
        )
        matches = np.full(len(detections), -1)
        found = grid.matches.numpy()
        matches[self._pred] = np.where(found >= 0, np.append(self._gt, -1)[found], -1)
        return GridScores(grid.ap.numpy(), grid.recall.numpy(), matches)


def score_grid(
    detections: DetectedBoxes,
    truth: TrueBoxes,
    num_classes: int,
    iou_thrs: ArrayLike = GRID_THRS,
    count_thrs: ArrayLike = GRID_THRS,
    detections_outside: ArrayLike | None = None,
    truth_outside: ArrayLike | None = None,
    max_dets: int = 150,
) -> GridScores:
    """Average precision of every class, subset and pair of thresholds, as COCO defines it.

    The arguments are those of :class:`BoxGrid` and of its ``score``. Thresholds (0,) of the accuracy do not look at
    counts, except that they decide between equal overlaps.

    Raises:
        ValueError: A label is not in 0..K-1, thresholds are not ascending, or the subsets do not fit the tables.

    Example:
        >>> truth = TrueBoxes(images=[0], labels=[0], bboxes=[[0, 0, 200, 200]], counts=[4])
        >>> found = DetectedBoxes(images=[0], labels=[0], bboxes=[[0, 0, 160, 200]], scores=[0.9], counts=[3])
        >>> grid = score_grid(found, truth, num_classes=1)  # IoU 0.8, accuracy of the count 0.75
        >>> round(float(grid.ap.mean()), 2), round(float(grid.recall.mean()), 2)
        (0.42, 0.42)
    """
    boxes = BoxGrid(detections, truth, num_classes, max_dets)
    return boxes.score(iou_thrs, count_thrs, detections_outside, truth_outside)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def _ascending(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if not len(array) or not np.isfinite(array).all() or (np.diff(array) <= 0).any():
        raise ValueError(f'{name} must be at least one number, ascending, got {array.tolist()}')
    return array


def _outside(name: str, values: ArrayLike | None, size: int) -> BoolArray:
    array = np.zeros((1, size), dtype=bool) if values is None else np.asarray(values, dtype=bool)
    if array.ndim != 2 or array.shape[1] != size:
        raise ValueError(f'{name} must be (subsets, {size}), got {array.shape}')
    return array
