"""The number to beat: always predict the mean count of the training set."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.registry import DATASETS, METRICS
from mmcount.structures.sample_fields import true_counts

from ..functional.counting import count_errors
from .base import OneRecordMetric, Record
from .count_record import FloatArray, stack_counts


def class_counts(dataset: Any) -> FloatArray:
    """Objects of each class in every image of a data set, from its annotations alone.

    Shape:
        returns: (T, C).

    Raises:
        TypeError: The data set can neither give ``class_counts()`` nor detection annotations.
    """
    if hasattr(dataset, 'class_counts'):
        return np.asarray(dataset.class_counts(), dtype=np.float64)
    if not hasattr(dataset, 'get_data_info') or not getattr(dataset, 'metainfo', {}).get('classes'):
        raise TypeError(
            f'{type(dataset).__name__} cannot serve a baseline: it has neither class_counts() nor get_data_info() '
            'with classes'
        )
    counts = np.zeros((len(dataset), len(dataset.metainfo['classes'])))
    for row, index in zip(counts, range(len(dataset)), strict=True):
        for instance in dataset.get_data_info(index).get('instances', []):
            if not instance.get('ignore_flag'):
                row[instance['bbox_label']] += instance.get('count', 1)
    return counts


@METRICS.register_module()
class BaselineMetric(OneRecordMetric):
    """Errors of always predicting the mean count: ``count/MAE_mean_baseline``, and the same of RMSE and bias.

    Errors are of the total of all classes in an image, in objects. Predictions are not looked at.

    Args:
        mean_count: Objects per image: one number, or one for each class.
        dataset: Config of the training set, or the data set itself, in place of the number.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: Not exactly one of ``mean_count`` and ``dataset`` is given.

    Example:
        >>> metric = BaselineMetric(mean_count=2.0)
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [5]}])
        >>> metric.evaluate(size=1)['count/MAE_mean_baseline']
        3.0
    """

    default_prefix = 'count'

    def __init__(
        self,
        mean_count: Any = None,
        dataset: Any = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if (mean_count is None) == (dataset is None):
            raise ValueError("BaselineMetric needs exactly one of 'mean_count' and 'dataset'")
        self._mean = None if mean_count is None else np.atleast_1d(np.asarray(mean_count, dtype=np.float64))
        self._dataset = dataset

    def mean(self) -> FloatArray:
        """Objects per image and class, (C,); (1,) when one number was given.

        Raises:
            ValueError: The data set is empty.
        """
        if self._mean is None:
            dataset = DATASETS.build(self._dataset) if isinstance(self._dataset, Mapping) else self._dataset
            counts = class_counts(dataset)
            if not len(counts):
                raise ValueError('the data set of the baseline has no image')
            self._mean, self._dataset = counts.mean(axis=0), None
        return self._mean

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the (C,) true objects of an image."""
        return {'true': true_counts(sample, None if self.classes is None else len(self.classes))}

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the errors of the mean."""
        (true,), mean = stack_counts(records, 'true'), self.mean()
        if mean.size not in (1, true.shape[1]):
            raise ValueError(f'the baseline has {mean.size} classes, the evaluated data set {true.shape[1]}')
        total = true.sum(axis=1)
        errors = count_errors(np.full_like(total, mean.sum()), total)
        return {f'{key}_mean_baseline': errors[key] for key in ('MAE', 'RMSE', 'bias')}
