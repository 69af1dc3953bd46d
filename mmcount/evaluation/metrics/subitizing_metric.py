"""Accuracy of small counts, as a metric of the MMEngine runner."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import predicted_counts, to_dict, to_numpy, true_counts
from mmcount.utils.atomic import write_atomic

from ..functional.subitizing import subitizing_table
from .base import OneRecordMetric


@METRICS.register_module()
class SubitizingMetric(OneRecordMetric):
    """Accuracy of each count and their mean; also the average precision, where counters score every count.

    An image counts all of its objects, of whatever class. Keys are ``subitizing/accuracy`` (the mean over the counts),
    ``subitizing/accuracy_0`` ... ``subitizing/accuracy_4+``, and the same with ``AP`` where all images carry
    ``pred_count_scores``.

    The paper's table 1 sets accuracies of its own beside numbers of Zhang et al. that look like average precisions;
    both are reported here.

    Args:
        max_count: The open class.
        score_thr: Lowest score of an instance that counts, for detectors.
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
        score_thr: float = 0.3,
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

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the counts of a batch.

        Raises:
            ValueError: An image lacks a count; the message names it.
        """
        for sample in data_samples:
            fields = to_dict(sample)
            record: dict[str, Any] = {
                'pred': float(predicted_counts(fields, score_thr=self.score_thr).sum()),
                'true': float(true_counts(fields).sum()),
            }
            if fields.get('pred_count_scores') is not None:
                scores = to_numpy(fields['pred_count_scores']).reshape(-1)
                if len(scores) != self.max_count + 1:
                    raise ValueError(
                        f'image {fields.get("img_id", "?")}: pred_count_scores has {len(scores)} counts, expected '
                        f'{self.max_count + 1}'
                    )
                record['scores'] = scores
            self.add_record(fields, record)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """The table of the merged records, as keys."""
        scores = np.stack([one['scores'] for one in results]) if all('scores' in one for one in results) else None
        pred, true = [one['pred'] for one in results], [one['true'] for one in results]
        rows = subitizing_table(pred, true, self.max_count, scores)
        if self.table_file:
            header = list(rows[0])
            lines = [','.join(header), *(','.join(str(row.get(key, '')) for key in header) for row in rows)]
            write_atomic(Path(self.table_file), '\n'.join(lines) + '\n')
        metrics = {}
        for row in rows:
            suffix = '' if row['count'] == 'mean' else f'_{row["count"]}'
            for key in ('accuracy', 'AP'):
                if key in row and row['images'] and not np.isnan(float(row[key])):
                    metrics[f'{key}{suffix}'] = float(row[key])
        return metrics
