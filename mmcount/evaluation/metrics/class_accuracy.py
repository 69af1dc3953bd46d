"""Accuracy of image classifiers, as a metric of the MMEngine runner."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import to_dict, to_numpy, true_counts

from .base import OneRecordMetric


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

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the rank of the true class of each image.

        Raises:
            ValueError: An image has no scores, or objects of several classes; the message names it.
        """
        for sample in data_samples:
            fields = to_dict(sample)
            name = fields.get('img_id', '?')
            if fields.get('pred_scores') is None:
                raise ValueError(f'image {name} has no pred_scores: ClassAccuracy judges image classifiers')
            scores, counts = to_numpy(fields['pred_scores']).reshape(-1), true_counts(fields)
            present = np.flatnonzero(counts > 0)
            if len(present) > 1 or len(counts) != len(scores):
                raise ValueError(
                    f'image {name} holds objects of the classes {present.tolist()} of {len(counts)}, expected one '
                    f'class of {len(scores)}'
                )
            rank = -1 if len(present) == 0 else int((scores > scores[present[0]]).sum())
            self.add_record(fields, {'rank': rank})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """The shares over the merged records."""
        ranks = np.array([one['rank'] for one in results])
        ranks = ranks[ranks >= 0]
        if not len(ranks):
            return {}
        return {f'top{k}': float((ranks < k).mean()) for k in self.topk}
