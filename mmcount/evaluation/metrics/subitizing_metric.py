"""Accuracy of small counts, as a metric of the MMEngine runner."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR, predicted_counts, to_numpy, true_counts
from mmcount.utils.atomic import write_atomic

from ..functional.subitizing import subitizing_table
from .base import OneRecordMetric, Record


@METRICS.register_module()
class SubitizingMetric(OneRecordMetric):
    """Accuracy of each count and their mean; also the average precision, where counters score every count.

    An image counts all of its objects, of whatever class. Keys are ``subitizing/accuracy`` (the mean over the counts),
    ``subitizing/accuracy_0`` ... ``subitizing/accuracy_4+``, and the same with ``AP`` where all images carry
    ``pred_count_scores``.

    Table 1 of the paper compares its accuracies with numbers of Zhang et al. that look like average precisions; both
    are reported here.

    Args:
        max_count: The open class.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        table_file: Where the table is written as CSV, or None.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Example:
        >>> metric = SubitizingMetric()
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [2.0], 'pred_counts': [2.0]}])
        >>> metric.evaluate(size=1)['subitizing/accuracy']
        1.0
    """

    default_prefix = 'subitizing'

    def __init__(
        self,
        max_count: int = 4,
        score_thr: float = SCORE_THR,
        table_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if max_count < 1:
            raise ValueError(f'max_count must be at least 1, got {max_count}')
        self.max_count = max_count
        self.score_thr = score_thr
        self.table_file = table_file

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the counts of an image, and the scores of every count if there are any."""
        record: Record = {
            'pred': float(predicted_counts(sample, score_thr=self.score_thr).sum()),
            'true': float(true_counts(sample).sum()),
        }
        if sample.get('pred_count_scores') is not None:
            scores = to_numpy(sample['pred_count_scores']).reshape(-1)
            if len(scores) != self.max_count + 1:
                raise ValueError(f'pred_count_scores has {len(scores)} counts, expected {self.max_count + 1}')
            record['scores'] = scores
        return record

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the table, and write it."""
        scores = np.stack([one['scores'] for one in records]) if all('scores' in one for one in records) else None
        pred, true = [one['pred'] for one in records], [one['true'] for one in records]
        rows = subitizing_table(pred, true, self.max_count, scores)
        if self.table_file:
            header = list(rows[0])
            lines = [','.join(header), *(','.join(str(row.get(key, '')) for key in header) for row in rows)]
            write_atomic(Path(self.table_file), '\n'.join(lines) + '\n')
        metrics = {}
        for row in rows:
            suffix = '' if row['count'] == 'mean' else f'_{row["count"]}'
            for key in ('accuracy', 'AP'):
                if key in row and row['images']:
                    metrics[f'{key}{suffix}'] = float(row[key])
        return metrics
