"""AP_lc: average precision of boxes that say how many objects they hold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .box_grid import GRID_THRS, BoolArray, BoxGrid, DetectedBoxes, FloatArray, GridScores, IntArray, TrueBoxes

CountRule = Literal['predicted', 'any']
COUNT_RULES: tuple[CountRule, ...] = ('predicted', 'any')


class Subset(NamedTuple):
    """A part of the ground truth; both ends of a range belong to it.

    Attributes:
        name: Ending of the keys.
        areas: px^2 of the original image.
        counts: Objects in a box.
    """

    name: str
    areas: tuple[float, float] = (0.0, math.inf)
    counts: tuple[float, float] = (0.0, math.inf)


#: Small, medium and large boxes by the root of their area, in px; boxes that hold one, 2 to 10, and more objects.
LOCOUNT_SUBSETS: tuple[Subset, ...] = (
    Subset('SS', areas=(0.0, 150.0**2)),
    Subset('MS', areas=(150.0**2, 300.0**2)),
    Subset('LS', areas=(300.0**2, math.inf)),
    Subset('IN', counts=(0.0, 1.0)),
    Subset('MN', counts=(2.0, 10.0)),
    Subset('LN', counts=(11.0, math.inf)),
)


def count_accuracy(pred: ArrayLike, true: ArrayLike) -> FloatArray:
    """Accuracy of counts, ``max(0, 1 - |pred - true| / true)``.

    Cai et al., "Rethinking Object Detection in Retail Stores", AAAI 2021, section on the protocol.

    Args:
        pred: Predicted objects in a box.
        true: True objects, at least 1.

    Shape:
        Any two that broadcast.

    Raises:
        ValueError: A true count is below 1.

    Example:
        >>> count_accuracy([3, 1, 9], [4, 2, 4]).tolist()
        [0.75, 0.5, 0.0]
    """
    found, expected = np.asarray(pred, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if not (expected >= 1).all():
        raise ValueError(f'true counts must be at least 1, got {expected.min():g}')
    return np.maximum(0.0, 1 - np.abs(found - expected) / expected)


def outside_masks(
    detections: DetectedBoxes, truth: TrueBoxes, subsets: Sequence[Subset], count_rule: CountRule = 'predicted'
) -> tuple[BoolArray, BoolArray]:
    """Masks of the boxes outside of each subset, as :func:`score_grid` takes them.

    Args:
        detections: Detections; a range of areas is that of their own boxes, as COCO has it.
        truth: Ground truth.
        subsets: A subsets.
        count_rule: Which detections that match nothing are wrong in a subset of counts, on which the paper is silent:
            'predicted', those whose own count is in the range, in analogy to areas; or 'any'.

    Shape:
        returns: (A, P) and (A, N) bool.

    Raises:
        ValueError: There is no such rule.
    """
    if count_rule not in COUNT_RULES:
        raise ValueError(f'count_rule must be one of {COUNT_RULES}, got {count_rule!r}')
    pred = np.zeros((len(subsets), len(detections)), dtype=bool)
    gt = np.zeros((len(subsets), len(truth)), dtype=bool)
    areas = detections.bboxes[:, 2] * detections.bboxes[:, 3]
    for row, subset in enumerate(subsets):
        pred[row] = _beyond(areas, subset.areas)
        if count_rule == 'predicted':
            pred[row] |= _beyond(detections.counts, subset.counts)
        gt[row] = _beyond(truth.areas, subset.areas) | _beyond(truth.counts, subset.counts)
    return pred, gt


def _beyond(values: FloatArray, limits: tuple[float, float]) -> BoolArray:
    return (values < limits[0]) | (values > limits[1])


def match_counts(
    detections: DetectedBoxes, truth: TrueBoxes, num_classes: int, iou_thr: float = 0.5, max_dets: int = 150
) -> tuple[IntArray, IntArray]:
    """Pairs of a detection and the ground truth that it takes by its IoU alone, for errors of counts.

    Crowds are in no pair.

    Shape:
        returns: (M,) rows of ``detections`` and (M,) rows of ``truth``.

    Example:
        >>> truth = TrueBoxes([0, 0], [0, 0], [[0, 0, 9, 9], [30, 0, 9, 9]], counts=[4, 7])
        >>> found = DetectedBoxes([0, 0], [0, 0], [[30, 1, 9, 9], [60, 0, 9, 9]], scores=[0.5, 0.9], counts=[5, 1])
        >>> [rows.tolist() for rows in match_counts(found, truth, num_classes=1)]
        [[0], [1]]
    """
    return _pairs(BoxGrid(detections, truth, num_classes, max_dets), iou_thr)


def _pairs(boxes: BoxGrid, iou_thr: float) -> tuple[IntArray, IntArray]:
    matches = boxes.score((iou_thr,), (0.0,)).matches
    rows = np.flatnonzero(matches >= 0)
    return rows, matches[rows]


@dataclass(frozen=True, eq=False)
class LocountScores:
    """Everything that is reported of a data set.

    Attributes:
        lc: Grid of 10 x 10 thresholds; subset 0 is everything.
        plain: Grid of 10 x 1 thresholds: COCO's own, which does not look at counts.
        subsets: Of ``lc``, without subset 0.
        labels: Class of each matched pair.
        errors: Predicted minus true count of each pair.
        max_dets: Detections of one class in one image that were taken.

    Shape:
        lc: (K, 1 + A, 10, 10). plain: (K, 1, 10, 1). labels, errors: (M,).
    """

    lc: GridScores
    plain: GridScores
    subsets: tuple[Subset, ...]
    labels: IntArray
    errors: FloatArray
    max_dets: int

    def _numbers(self, classes: slice) -> dict[str, float]:
        ap, recall = self.lc.ap[classes], self.lc.recall[classes]
        metrics = {
            'AP_lc': _mean(ap[:, 0]),
            'AP_lc_50': _mean(ap[:, 0, 0, 0]),
            'AP_lc_75': _mean(ap[:, 0, 5, 5]),
            f'AR_lc_{self.max_dets}': _mean(recall[:, 0]),
        }
        for row, subset in enumerate(self.subsets, start=1):
            metrics[f'AP_lc_{subset.name}'] = _mean(ap[:, row])
            metrics[f'AR_lc_{subset.name}'] = _mean(recall[:, row])
        plain = self.plain.ap[classes]
        metrics |= {
            'AP': _mean(plain),
            'AP_50': _mean(plain[:, :, 0]),
            'AP_75': _mean(plain[:, :, 5]),
            f'AR_{self.max_dets}': _mean(self.plain.recall[classes]),
        }
        return metrics

    def metrics(self) -> dict[str, float]:
        """The means over classes, as shares, and the errors of counts; NaN if there is nothing to average."""
        return self._numbers(slice(None)) | _count_errors(self.errors)

    def of_class(self, label: int) -> dict[str, float]:
        """The same of one class."""
        return self._numbers(slice(label, label + 1)) | _count_errors(self.errors[self.labels == label])


def _mean(values: NDArray[np.float64]) -> float:
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if kept.size else math.nan


def _count_errors(errors: FloatArray) -> dict[str, float]:
    return {'count_MAE': _mean(np.abs(errors)), 'count_bias': _mean(errors)}


def locount_scores(
    detections: DetectedBoxes,
    truth: TrueBoxes,
    num_classes: int,
    subsets: Sequence[Subset] = LOCOUNT_SUBSETS,
    max_dets: int = 150,
    count_rule: CountRule = 'predicted',
) -> LocountScores:
    """Judge boxes and counts by the protocol of Locount, boxes alone by that of COCO, and counts alone.

    Cai et al., "Rethinking Object Detection in Retail Stores", AAAI 2021. AP_lc is the mean over all pairs of an IoU
    and a count threshold out of 0.5, 0.55 ... 0.95, and over the classes that occur; AP_lc_50 and AP_lc_75 have one
    pair each, AR_lc is the mean recall of at most ``max_dets`` detections of a class in an image. Counts alone are
    compared on the pairs that COCO's matching finds at an IoU of 0.5.

    Args:
        detections: Detections.
        truth: Ground truth.
        num_classes: K.
        subsets: A parts of the ground truth with an AP and AR of their own.
        max_dets: Detections of one class in one image that are taken, the best scored.
        count_rule: As of :func:`outside_masks`.

    Raises:
        ValueError: A label is not in 0..K-1, or an option is out of range.

    Example:
        >>> truth = TrueBoxes([0], [0], [[0, 0, 200, 200]], counts=[4])
        >>> found = DetectedBoxes([0], [0], [[0, 0, 200, 200]], scores=[0.9], counts=[3])
        >>> metrics = locount_scores(found, truth, num_classes=1).metrics()
        >>> {name: round(metrics[name], 3) for name in ('AP_lc', 'AP_lc_50', 'AP', 'count_MAE', 'count_bias')}
        {'AP_lc': 0.6, 'AP_lc_50': 1.0, 'AP': 1.0, 'count_MAE': 1.0, 'count_bias': -1.0}
    """
    masks = outside_masks(detections, truth, (Subset('all'), *subsets), count_rule)
    boxes = BoxGrid(detections, truth, num_classes, max_dets)
    lc = boxes.score(GRID_THRS, GRID_THRS, *masks)
    plain = boxes.score(GRID_THRS, (0.0,), use_counts=False)
    rows, matched = _pairs(boxes, 0.5)
    errors = detections.counts[rows] - truth.counts[matched]
    return LocountScores(lc, plain, tuple(subsets), detections.labels[rows], errors, max_dets)
