"""Base class of metrics that need the predicted and true counts of each image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcount.structures.sample_fields import SCORE_THR, predicted_counts, to_numpy, true_counts

from .base import OneRecordMetric, Record

FloatArray = NDArray[np.float64]


class CountRecordMetric(OneRecordMetric):
    """Base of metrics that record the predicted and true counts of each image.

    Without class names in the data set, an explicit count vector on either side gives the number of classes.

    Args:
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: First part of the keys.
    """

    default_prefix = 'count'

    def __init__(self, score_thr: float = SCORE_THR, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.score_thr = score_thr

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the (C,) true and predicted objects of an image, and whether a cap made these a lower bound."""
        given = (sample[name] for name in ('gt_counts', 'pred_counts') if sample.get(name) is not None)
        num_classes = next((len(one) for one in given), None) if self.classes is None else len(self.classes)
        true = true_counts(sample, num_classes)
        pred = predicted_counts(sample, true.size, self.score_thr)
        saturated = sample.get('saturated')
        return {'true': true, 'pred': pred, 'saturated': None if saturated is None else float(saturated)}

    def class_names(self, num_classes: int) -> tuple[str, ...]:
        """Names of the classes, or their numbers."""
        return self.classes or tuple(str(index) for index in range(num_classes))


def stack_counts(records: list[Record], *names: str) -> tuple[FloatArray, ...]:
    """Stack counts of the records of T images: a (T, C) array for each name, or ``pred`` and ``true`` without any.

    Raises:
        ValueError: Two images have different numbers of classes.
    """
    sizes = {one[name].size: one['img_id'] for one in records for name in names or ('true',)}
    if len(sizes) > 1:
        raise ValueError(f'images have different numbers of classes (number: an image that has it): {sizes}')
    return tuple(np.stack([one[name] for one in records]) for name in names or ('pred', 'true'))


def checked_interval(value: Any, num_classes: int) -> FloatArray:
    """(C, 2) bounds of the count of each class.

    Raises:
        ValueError: There are not two bounds for each class, or a lower one is above its upper one or not a number.
    """
    interval = to_numpy(value).reshape(-1, 2)
    if len(interval) != num_classes or not (interval[:, 0] <= interval[:, 1]).all():
        raise ValueError(
            f'pred_interval must hold a lower and an upper bound of each of {num_classes} classes, got '
            f'{interval.tolist()}'
        )
    return interval
