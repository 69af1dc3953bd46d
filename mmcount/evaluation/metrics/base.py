"""One record per image, whatever the number of processes."""

from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric

from mmcount.structures.sample_fields import image_id


class OneRecordMetric(BaseMetric):
    """Base of metrics that keep exactly one record per image, keyed by ``img_id``.

    MMEngine trims what all processes gathered to the length of the data set, which silently drops records when a
    metric appends another number of them, and counts an image twice when shards are uneven. Here the records are
    merged by the name of the image and their number is checked, so results depend neither on the number of
    processes nor on the order of arrival.

    Args:
        collect_device: As in MMEngine; the records are tiny and travel as objects in both cases.
        prefix: First part of the metric's names.
    """

    def __init__(self, collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self._seen: set[str] = set()

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, where the data set says them."""
        names = (self.dataset_meta or {}).get('classes')
        return None if names is None else ((names,) if isinstance(names, str) else tuple(names))

    def add_record(self, data_sample: Any, record: dict[str, Any]) -> None:
        """Keep the one record of an image.

        Raises:
            ValueError: The image has one already.
        """
        identity = image_id(data_sample)
        # ``results`` is emptied by ``evaluate``; somebody may also have emptied it by hand.
        if not self.results:
            self._seen.clear()
        if identity in self._seen:
            raise ValueError(
                f"image '{identity}' was evaluated twice in one process: either two images of the data set share "
                'this img_id, or the loader repeats images'
            )
        self._seen.add(identity)
        self.results.append({'img_id': identity, **record})

    def evaluate(self, size: int) -> dict[str, float]:
        """Merge the records of all processes and compute the metrics.

        Args:
            size: Images of the whole data set.

        Raises:
            ValueError: There is not exactly one record per image, or two processes disagree about an image.
        """
        gathered = [record for part in all_gather_object(self.results) for record in part]
        self.results.clear()
        self._seen.clear()
        metrics: list[Any] = [None]
        if is_main_process():
            # The others wait in the broadcast: an error must reach them too instead of leaving them there.
            try:
                metrics[0] = self._compute(gathered, size)
            except Exception as error:
                metrics[0] = error
        broadcast_object_list(metrics)
        if isinstance(metrics[0], Exception):
            raise metrics[0]
        return dict(metrics[0])

    def _compute(self, gathered: list[dict[str, Any]], size: int) -> dict[str, float]:
        records = merge_records(gathered)
        if len(records) != size:
            raise ValueError(
                f'{type(self).__name__} has records of {len(records)} images, but the data set has {size}: every '
                'image must be evaluated exactly once under an img_id of its own'
            )
        metrics = self.compute_metrics(records)
        return {f'{self.prefix}/{key}' if self.prefix else key: value for key, value in metrics.items()}


def _same(first: Any, second: Any) -> bool:
    if first is None or second is None or isinstance(first, str):
        return bool(first is second or first == second)
    # Repeated images of padded shards may differ in the last bits on a GPU, where the batch decides the algorithm.
    one, two = np.asarray(first), np.asarray(second)
    return one.shape == two.shape and bool(np.allclose(one, two, rtol=1e-3, atol=1e-3))


def merge_records(gathered: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record per image, ordered by ``img_id``.

    Raises:
        ValueError: Two records of one image differ.

    Example:
        >>> record = {'img_id': 'a', 'pred': 1.0}
        >>> merge_records([record, {'img_id': 'b', 'pred': 2.0}, record])
        [{'img_id': 'a', 'pred': 1.0}, {'img_id': 'b', 'pred': 2.0}]
    """
    copies: dict[str, list[dict[str, Any]]] = {}
    for record in gathered:
        copies.setdefault(record['img_id'], []).append(record)
    merged: list[dict[str, Any]] = []
    for identity in sorted(copies):
        # By content, so that which of two nearly equal records is kept does not depend on the order.
        kept, *others = _by_content(copies[identity])
        for record in others:
            if kept.keys() != record.keys() or not all(_same(kept[key], record[key]) for key in record):
                raise ValueError(
                    f"image '{identity}' has two different records: {kept} and {record}; img_id must be "
                    'unique within a data set'
                )
        merged.append(kept)
    return merged


def _by_content(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Nearly every image has one record, and large ones take long to write out.
    return records if len(records) == 1 else sorted(records, key=lambda one: str(list(one.values())))
