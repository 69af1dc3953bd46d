"""Precision, recall and F1 of points, as a metric of the MMEngine runner."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import (
    SCORE_THR,
    counted_from,
    instance_labels,
    instance_points,
    instance_weights,
    to_dict,
    to_numpy,
)

from ..functional.localization import (
    CrowdPoints,
    Rounding,
    box_levels,
    box_sigmas,
    fixed_radii,
    localization_errors,
    score_points,
)
from .base import OneRecordMetric, Record
from .localization_files import write_points

FloatArray = NDArray[np.float64]


@METRICS.register_module()
class LocalizationMetric(OneRecordMetric):
    """Precision and recall of points by the protocol of the NWPU-Crowd benchmark, and errors of their number.

    Keys, below ``loc/``: ``F1_l``, ``P_l``, ``R_l`` and the stricter ``F1_s``, ``P_s``, ``R_s``; ``A0`` to ``A5``, the
    recalls of the size levels under sigma_l, with ``A_mean``; ``MAE``, ``MSE`` (the root of the mean squared error) and
    ``NAE`` of the number of points; ``negative_images``, ``negative_MAE`` and ``negative_MSE`` of the images without
    an object; ``F1_sigma8``, ... for fixed radii and ``F1_sigma1to100``, ... for their means. All are pooled over the
    data set. See :func:`mmcount.evaluation.functional.localization_errors`.

    Ground truth is ``gt_instances`` in pixels of the original image: ``bboxes``, whose sizes give the radii and levels
    and whose centres are the points unless there are ``points`` as well; or ``points`` with ``sigmas`` (N, 2), sigma_s
    and sigma_l, and optionally ``levels`` (N,). Points alone have fixed radii only. Predictions are the
    ``points`` of ``pred_instances``, or the centres of their ``bboxes``. Each instance is one object, whatever
    its ``counts``, and is matched within its class. Wherever points lie, outside of the image too, they count.

    Args:
        sigmas: Fixed radii, px: (4, 8) for ShanghaiTech.
        sigma_ranges: First and last whole radius of means: [(1, 100)] for UCF-QNRF.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        sigma_rounding: 'none', 'nearest' as in NWPU-Crowd's own list, or 'truncate' as in the lists of IIM's scripts.
        submission_file: Where to write the predictions in the benchmark's form: ``id num x y ...``, whole numbers.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: An option is not one of those above.

    Example:
        >>> metric = LocalizationMetric(sigmas=(4,))
        >>> sample = {'img_id': 'a', 'gt_instances': {'bboxes': [[0, 0, 7, 9], [40, 40, 47, 49]], 'labels': [0, 0]},
        ...           'pred_instances': {'points': [[3, 0], [90, 90], [3, 4]], 'labels': [0, 0, 0]}}
        >>> metric.process({}, [sample])
        >>> metrics = metric.evaluate(size=1)
        >>> round(metrics['loc/P_l'], 3), metrics['loc/R_l'], metrics['loc/F1_l'], metrics['loc/MAE']
        (0.333, 0.5, 0.4, 1.0)
    """

    default_prefix = 'loc'

    def __init__(
        self,
        sigmas: Sequence[float] = (),
        sigma_ranges: Sequence[tuple[int, int]] = (),
        score_thr: float = SCORE_THR,
        sigma_rounding: Rounding = 'none',
        submission_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.sigmas = tuple(sigmas)
        self.sigma_ranges = tuple((int(first), int(last)) for first, last in sigma_ranges)
        self._radii = fixed_radii(self.sigmas, self.sigma_ranges)
        box_sigmas([], sigma_rounding)  # refuses a rounding before the first epoch
        self.score_thr = score_thr
        self.sigma_rounding = sigma_rounding
        self.submission_file = submission_file

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Match the points of an image, and keep the numbers."""
        for name in ('gt_instances', 'pred_instances'):
            if sample.get(name) is None:
                raise ValueError(f"no '{name}' to compare; the sample has {sorted(sample)}")
        truth, true_labels = self._truth(to_dict(sample['gt_instances']))
        lowest = counted_from(sample, self.score_thr)
        points, labels = self._predictions(to_dict(sample['pred_instances']), lowest)
        record = _score_by_class(points, labels, truth, true_labels, self._radii)
        if self.submission_file is not None:
            record['points'] = points
        return record

    def _truth(self, instances: Mapping[str, Any]) -> tuple[CrowdPoints, NDArray[np.int64]]:
        labels = instance_labels(instances)
        points = instance_points(instances) if len(labels) else np.zeros((0, 2))
        bboxes = None if instances.get('bboxes') is None else to_numpy(instances['bboxes'])
        sigmas: FloatArray | None = None
        levels: NDArray[np.int64] | None = None
        if instances.get('sigmas') is not None:
            sigmas = to_numpy(instances['sigmas']).reshape(-1, 2)
            levels = None if instances.get('levels') is None else to_numpy(instances['levels']).astype(np.int64)
        elif bboxes is not None and bboxes.shape[-1] >= 4:
            sigmas, levels = box_sigmas(bboxes[:, :4], self.sigma_rounding), box_levels(bboxes[:, :4])
        elif not self._radii:
            raise ValueError(
                "gt_instances have neither 'bboxes' nor 'sigmas', which give each its radius; load boxes, or "
                'give LocalizationMetric fixed radii, e.g. sigmas=(4, 8)'
            )
        return CrowdPoints(points, sigmas, levels), labels

    @staticmethod
    def _predictions(instances: Mapping[str, Any], lowest: float) -> tuple[FloatArray, NDArray[np.int64]]:
        labels = instance_labels(instances)
        if not len(labels):
            return np.zeros((0, 2)), labels
        points = instance_points(instances)
        kept = instance_weights({**instances, 'counts': np.ones(len(labels))}, lowest) > 0
        return points[kept], labels[kept]

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Pool the records, and write the submission."""
        metrics = localization_errors(records, self.sigmas, self.sigma_ranges)
        if self.submission_file is not None:
            write_points(self.submission_file, {one['img_id']: one['points'] for one in records})
        return metrics


def _score_by_class(
    points: FloatArray,
    labels: NDArray[np.int64],
    truth: CrowdPoints,
    true_labels: NDArray[np.int64],
    radii: Sequence[float],
) -> dict[str, Any]:
    classes = np.union1d(labels, true_labels)
    if len(classes) <= 1:
        return score_points(points, truth, radii)
    parts = []
    for label in classes:
        mine = true_labels == label
        part = CrowdPoints(
            truth.points[mine],
            None if truth.sigmas is None else truth.sigmas[mine],
            None if truth.levels is None else truth.levels[mine],
        )
        parts.append(score_points(points[labels == label], part, radii))
    return {key: np.sum([part[key] for part in parts], axis=0) for key in parts[0]}
