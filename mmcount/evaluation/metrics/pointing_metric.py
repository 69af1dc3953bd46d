"""Pointing accuracy, as a metric of the MMEngine runner."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import (
    SCORE_THR,
    counted_from,
    predicted_counts,
    to_dict,
    to_numpy,
    true_counts,
)
from mmcount.utils.atomic import write_atomic

from ..functional.pointing import Assignment, box_containment, ellipse_containment, pointed_boxes
from .base import OneRecordMetric, Record

CURVE = tuple(round(0.05 * step, 2) for step in range(20))


@METRICS.register_module()
class PointingMetric(OneRecordMetric):
    """Share of objects with a pointer of their own inside (Point-and-Count, table 2 and figure 3).

    A pointer serves a box if more than a threshold of its area lies in it; this is not the intersection over union,
    as pointers are meant to be smaller than objects. The published measure looks only at images whose count is right.

    Keys, for a threshold of 0.5: ``pointing/accuracy@0.5`` over the images whose count is right,
    ``pointing/accuracy@0.5_2`` of those with two objects, ``pointing/images@0.5``, the share of these images all of
    whose objects are hit, and ``pointing/accuracy_all@0.5`` over all images: conditioning on the count favours cautious
    counters.

    Args:
        thresholds: Of the keys.
        max_count: Images with as many objects or more share a key; ``pred_counts`` from there on are right for them.
        assign: 'greedy' in the order of the annotation, as published, or 'optimal'.
        score_thr: Lowest score of an instance that counts and points, for detectors, which predict instances and no
            counts.
        curve_file: Where the accuracy over thresholds from 0 to 0.95 is written as CSV, or None.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Example:
        >>> metric = PointingMetric(thresholds=(0.5,))
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [1.0], 'gt_instances': {'bboxes': [[0, 0, 9, 9]]},
        ...     'pred_counts': [1.0], 'pred_instances': {'bboxes': [[5, 5, 12, 9]], 'scores': [1.0]}}])
        >>> metric.evaluate(size=1)['pointing/accuracy@0.5']
        1.0
    """

    default_prefix = 'pointing'

    def __init__(
        self,
        thresholds: Sequence[float] = (0.5, 0.8),
        max_count: int = 4,
        assign: Assignment = 'greedy',
        score_thr: float = SCORE_THR,
        curve_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not thresholds or not all(0 <= one < 1 for one in thresholds):
            raise ValueError(f'thresholds must be one or more numbers in 0..1, got {tuple(thresholds)}')
        if assign not in ('greedy', 'optimal'):
            raise ValueError(f"assign must be 'greedy' or 'optimal', got {assign!r}")
        self.thresholds = tuple(thresholds)
        self.max_count = max_count
        self.assign: Assignment = assign
        self.score_thr = score_thr
        self.curve_file = curve_file

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep how many objects are hit at each threshold, and whether the count is right."""
        ratios = self._ratios(sample)
        every = (*self.thresholds, *CURVE)
        hits = [int(pointed_boxes(ratios, threshold, self.assign).sum()) for threshold in every]
        true = round(float(true_counts(sample).sum()))
        pred = int(np.floor(predicted_counts(sample, score_thr=self.score_thr).sum() + 0.5))
        return {
            'hits': np.array(hits),
            'boxes': ratios.shape[1],
            'true': true,
            'right': int(min(pred, self.max_count) == min(true, self.max_count)),
        }

    def _ratios(self, sample: Mapping[str, Any]) -> np.ndarray:
        """(P, N) containment of the image's pointers in its boxes."""
        if sample.get('gt_instances') is None or to_dict(sample['gt_instances']).get('bboxes') is None:
            raise ValueError("no boxes of the objects ('gt_instances.bboxes'), which pointing needs")
        boxes = to_numpy(to_dict(sample['gt_instances'])['bboxes']).reshape(-1, 4)
        pointers = to_dict(sample.get('pred_instances') or {})
        if pointers.get('bboxes') is None:
            raise ValueError("no pointers ('pred_instances.bboxes')")
        kind = 'bboxes' if pointers.get('ellipses') is None else 'ellipses'
        shapes: np.ndarray = to_numpy(pointers[kind]).reshape(-1, 4)
        if pointers.get('scores') is not None:
            shapes = shapes[to_numpy(pointers['scores']).reshape(-1) >= counted_from(sample, self.score_thr)]
        return box_containment(shapes, boxes) if kind == 'bboxes' else ellipse_containment(shapes, boxes)

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the accuracies, and write the curve."""
        hits = np.stack([one['hits'] for one in records])
        boxes = np.array([one['boxes'] for one in records])
        true = np.minimum([one['true'] for one in records], self.max_count)
        right = np.array([one['right'] for one in records], dtype=bool)
        if self.curve_file:
            self._write_curve(hits[:, len(self.thresholds) :], boxes, right)
        metrics = {}
        for index, threshold in enumerate(self.thresholds):
            found = hits[:, index]
            groups = {f'accuracy@{threshold:g}': right, f'accuracy_all@{threshold:g}': np.ones_like(right)}
            for count in range(1, self.max_count + 1):
                suffix = f'{count}+' if count == self.max_count else str(count)
                groups[f'accuracy@{threshold:g}_{suffix}'] = right & (true == count)
            for key, kept in groups.items():
                if boxes[kept].sum():
                    metrics[key] = float(found[kept].sum() / boxes[kept].sum())
            kept = right & (boxes > 0)
            if kept.any():
                metrics[f'images@{threshold:g}'] = float((found == boxes)[kept].mean())
        return metrics

    def _write_curve(self, hits: np.ndarray, boxes: np.ndarray, right: np.ndarray) -> None:
        lines = ['threshold,accuracy,accuracy_all']
        for threshold, found in zip(CURVE, hits.T, strict=True):
            values = [found[kept].sum() / max(boxes[kept].sum(), 1) for kept in (right, np.ones_like(right))]
            lines.append(f'{threshold:g},{values[0]:.4f},{values[1]:.4f}')
        write_atomic(Path(self.curve_file or ''), '\n'.join(lines) + '\n')
