"""Errors of calibrated counts and coverage of their intervals, as a metric of the MMEngine runner."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR, checked_counts

from ..functional.calibration import fit_line_calibration, fit_scale_calibration
from ..functional.counting import count_errors, interval_coverage
from .base import Record
from .count_files import load_calibration, write_calibration
from .count_record import CountRecordMetric, FloatArray, checked_interval, stack_counts

FITS = {'line': fit_line_calibration, 'scale': fit_scale_calibration}


@METRICS.register_module()
class CalibrationMetric(CountRecordMetric):
    """Errors of calibrated counts, and how often and how tightly their intervals hold the truth.

    ==============================  ============================================================================
    key (after ``count/``)          meaning, in objects if nothing else is said
    ==============================  ============================================================================
    ``MAE_calibrated`` ...          MAE, RMSE, bias of the total of ``pred_calibrated_counts``, or of
                                    ``pred_counts`` after the line of ``calibration_file``
    ``coverage``                    share of (image, class) pairs with the truth inside ``pred_interval``
    ``interval_width``              mean width of ``pred_interval``
    ==============================  ============================================================================

    A model that was not calibrated predicts neither field; then there are no such numbers. A calibration never saw the
    images that it is tested on: a model carries its own, fitted on validation images, or
    :class:`FitCalibration` writes a line for this one checkpoint while it is evaluated on the validation set.

    Args:
        calibration_file: JSON file written by :class:`FitCalibration`, used instead of the model's own calibration.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        FileNotFoundError: There is no ``calibration_file``.
        ValueError: It is malformed.

    Example:
        >>> metric = CalibrationMetric()
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [3], 'pred_counts': [2.0],
        ...                      'pred_calibrated_counts': [2.5], 'pred_interval': [[2.0, 3.5]]}])
        >>> metrics = metric.evaluate(size=1)
        >>> metrics['count/MAE_calibrated'], metrics['count/coverage'], metrics['count/interval_width']
        (0.5, 1.0, 1.5)
    """

    def __init__(
        self,
        calibration_file: str | None = None,
        score_thr: float = SCORE_THR,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(score_thr=score_thr, collect_device=collect_device, prefix=prefix)
        self.line = None if calibration_file is None else load_calibration(calibration_file)

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the counts of an image, and its calibrated counts and interval if there are any."""
        record = super().record(sample)
        calibrated, interval = sample.get('pred_calibrated_counts'), sample.get('pred_interval')
        size = record['true'].size
        record['calibrated'] = (
            None if calibrated is None else checked_counts(calibrated, 'pred_calibrated_counts', size)
        )
        record['interval'] = None if interval is None else checked_interval(interval, size)
        return record

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the errors, if all images are calibrated, and the coverage over images with an interval."""
        metrics: dict[str, float] = {}
        pred, true = stack_counts(records)
        calibrated: FloatArray | None = None
        if self.line is not None:
            calibrated = self.line.apply(pred.sum(axis=1))
        elif all(one['calibrated'] is not None for one in records):
            calibrated = stack_counts(records, 'calibrated')[0].sum(axis=1)
        if calibrated is not None:
            errors = count_errors(calibrated, true.sum(axis=1))
            metrics.update({f'{key}_calibrated': errors[key] for key in ('MAE', 'RMSE', 'bias')})
        kept = [index for index, one in enumerate(records) if one['interval'] is not None]
        if kept:
            intervals = np.concatenate([records[index]['interval'] for index in kept])
            metrics['coverage'], metrics['interval_width'] = interval_coverage(intervals, true[kept].reshape(-1))
        return metrics


@METRICS.register_module()
class FitCalibration(CountRecordMetric):
    """Fit a calibration of the total of all classes on the images of an evaluation, and write it to a file.

    The line belongs to the evaluated checkpoint; :class:`CalibrationMetric` applies it to other images. There are no
    metrics.

    Args:
        out_file: JSON file that gets the line.
        kind: 'line', or 'scale' for a line through zero.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: Not used.

    Raises:
        ValueError: There is no such kind.

    Example:
        >>> metric = FitCalibration(out_file='work_dirs/calibration.json')
    """

    def __init__(
        self,
        out_file: str,
        kind: Literal['line', 'scale'] = 'line',
        score_thr: float = SCORE_THR,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(score_thr=score_thr, collect_device=collect_device, prefix=prefix)
        if kind not in FITS:
            raise ValueError(f'kind must be one of {tuple(FITS)}, got {kind!r}')
        self.out_file = out_file
        self.kind = kind

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Fit and write the line."""
        pred, true = (counts.sum(axis=1) for counts in stack_counts(records))
        write_calibration(self.out_file, FITS[self.kind](pred, true), self.kind, len(true))
        return {}
