"""Base class of metrics: one record per image, whatever the number of processes."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric

from mmcount.structures.sample_fields import image_id, to_dict

Record = dict[str, Any]


class OneRecordMetric(BaseMetric):
    """Base of metrics: a `record` of each image and a `compute` over all records.

    MMEngine trims what all processes gathered to the length of the data set, which silently drops records when a
    metric appends another number of them, and counts an image twice when shards are uneven. Here the records are
    merged by ``img_id`` and their number is checked, so results depend neither on the number of processes nor on the
    order of arrival.

    Args:
        collect_device: As in MMEngine; the records are tiny and travel as objects in both cases.
        prefix: First part of the metric's names.

    Example:
        >>> class LargestCount(OneRecordMetric):
        ...     default_prefix = 'count'
        ...
        ...     def record(self, sample):
        ...         return {'pred': float(sample['pred_counts'][0])}
        ...
        ...     def compute(self, records):
        ...         return {'largest': max(one['pred'] for one in records)}
        >>> metric = LargestCount()
        >>> metric.process({}, [{'img_id': 'a', 'pred_counts': [2.0]}, {'img_id': 'b', 'pred_counts': [5.0]}])
        >>> metric.evaluate(size=2)
        {'count/largest': 5.0}
    """

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self._seen: set[str] = set()

    @abstractmethod
    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep of one image what `compute` needs, as numbers, strings, None, arrays or dicts of arrays.

        Args:
            sample: Fields and meta information of a data sample, with ground truth and prediction.

        Raises:
            ValueError: A field is missing or wrong. The image is named by the caller.
        """

    @abstractmethod
    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the metrics of at least one record, one for each image, ordered by ``img_id``.

        Returns:
            Numbers by their names without prefix. One that is NaN does not exist and is left out: loggers that write
            strict JSON cannot hold it.
        """

    def uses_annotations_of(self, sample: Mapping[str, Any]) -> bool:
        """Whether `record` compares with the sample's own annotations, which must be those of the original image."""
        return True

    def merge(self, gathered: list[Record]) -> list[Record]:
        """One record per image of those that all processes gathered, ordered by ``img_id``.

        Raises:
            ValueError: Two records of one image differ.
        """
        copies: dict[str, list[Record]] = {}
        for record in gathered:
            copies.setdefault(record['img_id'], []).append(record)
        merged: list[Record] = []
        for identity in sorted(copies):
            kept, *others = copies[identity]
            if others:
                # By content, so that which of two nearly equal records is kept does not depend on the order.
                kept, *others = sorted(copies[identity], key=lambda one: str(list(one.values())))
            for record in others:
                if kept.keys() != record.keys() or not all(_same(kept[key], record[key]) for key in record):
                    raise ValueError(
                        f"image '{identity}' has two different records: {kept} and {record}; img_id must be unique "
                        'within a data set'
                    )
            merged.append(kept)
        return merged

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, if the data set gives them."""
        names = (self.dataset_meta or {}).get('classes')
        return None if names is None else ((names,) if isinstance(names, str) else tuple(names))

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the record of each image of a batch.

        Args:
            data_batch: Not used.
            data_samples: Data samples or their dicts, with ground truth and prediction.

        Raises:
            ValueError: An image has no record, was evaluated before, or has annotations that were transformed; the
                message names the image.
        """
        # ``results`` is emptied by ``evaluate``; somebody may also have emptied it by hand.
        if not self.results:
            self._seen.clear()
        for data_sample in data_samples:
            sample = to_dict(data_sample)
            identity = image_id(sample)
            if identity in self._seen:
                raise ValueError(
                    f"image '{identity}' was evaluated twice in one process: either two images of the data set share "
                    'this img_id, or the loader repeats images'
                )
            try:
                if sample.get('gt_mismatch') is not None and self.uses_annotations_of(sample):
                    raise ValueError(
                        f'{sample["gt_mismatch"]}, but predictions are compared with the annotations of the original '
                        'image; in the test pipeline load annotations behind the geometric transforms, and do not cut '
                        'the image'
                    )
                record = self.record(sample)
            except ValueError as error:
                raise ValueError(f'image {identity}: {error}') from error
            self._seen.add(identity)
            self.results.append({'img_id': identity, **record})

    def compute_metrics(self, results: list[Record]) -> dict[str, float]:
        """MMEngine's name of `compute`."""
        return self.compute(results)

    def evaluate(self, size: int) -> dict[str, float]:
        """Merge the records of all processes and compute the metrics.

        Args:
            size: Images of the whole data set.

        Raises:
            ValueError: There is no image, not exactly one record per image, or two processes disagree about an image.
        """
        gathered = [record for part in all_gather_object(self.results) for record in part]
        self.results.clear()
        self._seen.clear()
        metrics: list[Any] = [None]
        if is_main_process():
            # The others wait in the broadcast: an error must reach them too instead of leaving them there.
            try:
                records = self.merge(gathered)
                if len(records) != size or not size:
                    raise ValueError(
                        f'{type(self).__name__} has records of {len(records)} images, but the data set has {size}: '
                        'at least one is needed, and each must be evaluated exactly once under an img_id of its own'
                    )
                metrics[0] = {
                    f'{self.prefix}/{key}' if self.prefix else key: value
                    for key, value in self.compute(records).items()
                    if not math.isnan(value)
                }
            except Exception as error:
                metrics[0] = error
        broadcast_object_list(metrics)
        if isinstance(metrics[0], Exception):
            raise metrics[0]
        return dict(metrics[0])


def _same(first: Any, second: Any) -> bool:
    if first is None or second is None or isinstance(first, str):
        return bool(first is second or first == second)
    # Repeated images of padded shards may differ in the last bits on a GPU, if the batch decides the algorithm.
    one, two = np.asarray(first), np.asarray(second)
    return one.shape == two.shape and bool(np.allclose(one, two, rtol=1e-3, atol=1e-3))
