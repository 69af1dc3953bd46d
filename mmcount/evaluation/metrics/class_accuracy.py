"""Accuracy of image classifiers, as a metric of the MMEngine runner."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import to_numpy, true_counts

from .base import OneRecordMetric, Record


@METRICS.register_module()
class ClassAccuracy(OneRecordMetric):
    """Share of images whose class is among the k with the highest scores, in 0..1.

    The class of an image is that of its objects; images without objects are left out.

    Args:
        topk: Values of k.
        collect_device: As in MMEngine.
        prefix: First part of the keys ``class/top1`` and so on.

    Example:
        >>> metric = ClassAccuracy(topk=(1,))
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [0.0, 2.0], 'pred_scores': [0.1, 0.9]}])
        >>> metric.evaluate(size=1)
        {'class/top1': 1.0}
    """

    default_prefix = 'class'

    def __init__(self, topk: Sequence[int] = (1, 5), collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not topk or min(topk) < 1:
            raise ValueError(f'topk must be one or more numbers of at least 1, got {tuple(topk)}')
        self.topk = tuple(topk)

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep how many classes score higher than the true one; -1 without objects."""
        if sample.get('pred_scores') is None:
            raise ValueError(f"no 'pred_scores' of an image classifier; found {sorted(sample)}")
        scores, counts = to_numpy(sample['pred_scores']).reshape(-1), true_counts(sample)
        present = np.flatnonzero(counts > 0)
        if len(present) > 1 or len(counts) != len(scores):
            raise ValueError(
                f'objects of the classes {present.tolist()} of {len(counts)}, expected one class of {len(scores)}'
            )
        return {'rank': -1 if len(present) == 0 else int((scores > scores[present[0]]).sum())}

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the shares."""
        ranks = np.array([one['rank'] for one in records])
        ranks = ranks[ranks >= 0]
        if not len(ranks):
            return {}
        return {f'top{k}': float((ranks < k).mean()) for k in self.topk}
