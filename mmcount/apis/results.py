"""What a counted image is to a user: numbers, positions, and whether they can be trusted."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmdet.structures.bbox import BaseBoxes

from mmcount.structures.sample_fields import (
    instance_labels,
    instance_points,
    instance_weights,
    predicted_counts,
    to_dict,
    to_numpy,
)


def round_count(value: float) -> int:
    """The nearest whole number of objects, halves up, never below zero.

    Example:
        >>> [round_count(value) for value in (2.5, 2.4, -0.7)]
        [3, 2, 0]
    """
    return max(0, int(np.floor(value + 0.5)))


def _no_points() -> np.ndarray:
    return np.zeros((0, 2), dtype=np.float32)


def _no_values() -> np.ndarray:
    return np.zeros(0, dtype=np.float32)


def _no_labels() -> np.ndarray:
    return np.zeros(0, dtype=np.int64)


@dataclass
class CountResult:
    """The prediction for one image. Coordinates are pixels of the original image, pixel centres at integers.

    Symbols: C classes, P objects with a position; P may differ from the count, which a density sums up.

    Args:
        image: Name, unique within a run: the path relative to the folder that all inputs share.
        counts: Objects of each class, not rounded; every class is there, and none if the image failed.
        points: (P, 2) float32 ``(x, y)``.
        labels: (P,) int64 index of the class.
        scores: (P,) float32; the height of the peak where a map was predicted, else the confidence.
        bboxes: (P, 4) float32 ``x1, y1, x2, y2``, or None where there are no boxes.
        box_counts: (P,) float32, objects that each instance stands for.
        interval: Lower and upper bound for each class, around the calibrated count; None where there is none.
        density: (C, h, w) float32 objects per cell, or None.
        saturated: A limit of the method was reached: the count is a lower bound.
        width: Pixels.
        height: Pixels.
        path: The file, or None for an array.
        error: Why the image could not be counted; None if it was.

    Example:
        >>> result = CountResult('a.jpg', counts={'cat': 1.4, 'dog': 0.4})
        >>> result.count, round(result.count_float, 2)
        (2, 1.8)
    """

    image: str
    counts: dict[str, float] = field(default_factory=dict)
    points: np.ndarray = field(default_factory=_no_points)
    labels: np.ndarray = field(default_factory=_no_labels)
    scores: np.ndarray = field(default_factory=_no_values)
    bboxes: np.ndarray | None = None
    box_counts: np.ndarray = field(default_factory=_no_values)
    interval: dict[str, tuple[float, float]] | None = None
    density: np.ndarray | None = None
    saturated: bool = False
    width: int = 0
    height: int = 0
    path: str | None = None
    error: str | None = None

    @property
    def count_float(self) -> float:
        """Objects of all classes, not rounded."""
        return float(sum(self.counts.values()))

    @property
    def count(self) -> int:
        """Objects of all classes, rounded once; 0 if the image failed, so look at ``error`` first."""
        return round_count(self.count_float)

    def to_dict(self, density: bool = False) -> dict[str, Any]:
        """Numbers, strings and lists only, ready for JSON.

        Args:
            density: Whether to include the density; it has as many numbers as the image has pixels.
        """
        out: dict[str, Any] = dict(
            image=self.image,
            path=self.path,
            count=None if self.error else self.count,
            count_float=None if self.error else self.count_float,
            counts=dict(self.counts),
            points=self.points.tolist(),
            labels=self.labels.tolist(),
            scores=self.scores.tolist(),
            bboxes=None if self.bboxes is None else self.bboxes.tolist(),
            box_counts=self.box_counts.tolist(),
            interval=None if self.interval is None else {name: list(pair) for name, pair in self.interval.items()},
            saturated=self.saturated,
            width=self.width,
            height=self.height,
            error=self.error,
        )
        if density:
            out['density'] = None if self.density is None else self.density.tolist()
        return out


def result_from_sample(
    sample: Any,
    image: str,
    classes: tuple[str, ...],
    score_thr: float = 0.3,
    calibrated: bool = False,
    with_density: bool = True,
) -> CountResult:
    """Read the prediction of a data sample: ours or a plain mmdet detector's.

    Args:
        sample: A data sample with a prediction, or its dict.
        image: Name of the image.
        classes: C names.
        score_thr: Lowest score of an instance that counts, where instances are all there is. A model that predicts
            the count itself reports all of its instances.
        calibrated: Use ``pred_calibrated_counts``.
        with_density: Keep the density.

    Raises:
        ValueError: The sample holds no prediction, none that is calibrated, or one of another number of classes.
    """
    fields = to_dict(sample)
    num_classes = len(classes)
    if calibrated:
        fields = dict(fields, pred_counts=_calibrated(fields, image))
    values = predicted_counts(fields, num_classes, score_thr)
    result = CountResult(image, counts=dict(zip(classes, values.tolist(), strict=True)))
    if fields.get('pred_instances') is not None:
        _read_instances(result, fields['pred_instances'], score_thr if instances_are_all(fields) else -np.inf)
    if fields.get('pred_interval') is not None:
        bounds = to_numpy(fields['pred_interval']).reshape(num_classes, 2)
        result.interval = {name: (float(low), float(high)) for name, (low, high) in zip(classes, bounds, strict=True)}
    if with_density and fields.get('pred_density') is not None:
        result.density = to_numpy(to_dict(fields['pred_density'])['data']).astype(np.float32)
    result.saturated = bool(fields.get('saturated', False))
    return result


def instances_are_all(sample: Any) -> bool:
    """Whether the instances are the only thing predicted, as by a plain detector."""
    fields = to_dict(sample)
    return fields.get('pred_counts') is None and fields.get('pred_density') is None


def is_at_cap(sample: Any, cap: int | None, score_thr: float) -> bool:
    """Whether as many instances count as the method can give at most.

    Instances below ``score_thr`` fill a detector's list on any image, and are no sign that an object was left out.
    """
    instances = to_dict(sample).get('pred_instances')
    if cap is None or instances is None:
        return False
    scores = to_dict(instances).get('scores')
    counted = len(instance_labels(instances)) if scores is None else int((to_numpy(scores) >= score_thr).sum())
    return counted >= cap


def _calibrated(fields: Any, image: str) -> np.ndarray:
    if fields.get('pred_calibrated_counts') is None:
        raise ValueError(f'image {image}: the model predicts no calibrated counts; leave calibrated off')
    return to_numpy(fields['pred_calibrated_counts']).reshape(-1)


def _read_instances(result: CountResult, instances: Any, score_thr: float) -> None:
    fields = to_dict(instances)
    weights = instance_weights(fields, score_thr)
    keep = weights > 0
    boxes = fields.get('bboxes')
    if isinstance(boxes, BaseBoxes):
        boxes = boxes.tensor
    if fields.get('points') is not None or boxes is not None:
        result.points = instance_points(fields)[keep].astype(np.float32)
    if boxes is not None and boxes.shape[-1] >= 4:
        result.bboxes = to_numpy(boxes)[keep, :4].astype(np.float32)
    result.labels = instance_labels(fields)[keep]
    result.box_counts = weights[keep].astype(np.float32)
    scores = np.ones(len(weights)) if fields.get('scores') is None else to_numpy(fields['scores']).reshape(-1)
    result.scores = scores[keep].astype(np.float32)
