"""Counts of every image in a file, as a metric of the MMEngine runner."""

from collections.abc import Mapping
from typing import Any

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR

from .base import Record
from .count_files import write_counts
from .count_record import CountRecordMetric, checked_interval, stack_counts


@METRICS.register_module()
class DumpCounts(CountRecordMetric):
    """Write a CSV file with a row for every image and class, zeros included; there are no metrics.

    Columns: ``img_id``, ``class``, ``gt``, ``pred`` and the bounds ``lo``, ``hi`` of ``pred_interval``, empty without
    one.

    Args:
        out_file: The file.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: Not used.

    Example:
        >>> metric = DumpCounts(out_file='work_dirs/counts.csv')
    """

    def __init__(
        self,
        out_file: str,
        score_thr: float = SCORE_THR,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(score_thr=score_thr, collect_device=collect_device, prefix=prefix)
        self.out_file = out_file

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the counts of an image and its interval."""
        interval = sample.get('pred_interval')
        record = super().record(sample)
        record['interval'] = None if interval is None else checked_interval(interval, record['true'].size)
        return record

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Write the file."""
        (true,) = stack_counts(records, 'true')
        write_counts(self.out_file, records, self.class_names(true.shape[1]))
        return {}
