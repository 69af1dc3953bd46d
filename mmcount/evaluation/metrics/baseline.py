"""The number to beat: always predict the mean count of the training set."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcount.registry import DATASETS


def class_counts(dataset: Any) -> NDArray[np.float64]:
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


class MeanBaseline:
    """The mean count of each class, given or computed once from a data set's annotations.

    Args:
        mean_count: Objects per image: one number, or one for each class.
        dataset: Config of the training set, or the data set itself, in place of the number.

    Raises:
        ValueError: Not exactly one of the two is given.

    Example:
        >>> MeanBaseline(mean_count=[2.0, 3.0]).mean().tolist()
        [2.0, 3.0]
    """

    def __init__(self, mean_count: Any = None, dataset: Any = None) -> None:
        if (mean_count is None) == (dataset is None):
            raise ValueError("baseline needs exactly one of 'mean_count' and 'dataset'")
        self._mean = None if mean_count is None else np.atleast_1d(np.asarray(mean_count, dtype=np.float64))
        self._dataset = dataset

    def mean(self) -> NDArray[np.float64]:
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
