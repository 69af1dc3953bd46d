"""MAE, RMSE, NAE and bias of counts, as a metric of the MMEngine runner."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR

from ..functional.counting import count_errors, errors_by_range
from .base import Record
from .count_record import CountRecordMetric, stack_counts

MOVED = {
    'class_rmse': "dict(type='mmcount.ClassRMSEMetric')",
    'rounding': "dict(type='mmcount.ClassRMSEMetric', rounding=...)",
    'clamp': "dict(type='mmcount.ClassRMSEMetric', clamp=...)",
    'resamples': "dict(type='mmcount.ClassRMSEMetric', resamples=...)",
    'count_values': "dict(type='mmcount.CountValueMetric', values=...)",
    'count_values_file': "dict(type='mmcount.CountValueMetric', out_file=...)",
    'baseline': "dict(type='mmcount.BaselineMetric', mean_count=...) or (..., dataset=...)",
    'save_calibration': "dict(type='mmcount.FitCalibration', out_file=...)",
    'calibration': "dict(type='mmcount.FitCalibration', kind=...)",
    'calibration_file': "dict(type='mmcount.CalibrationMetric', calibration_file=...)",
    'out_file': "dict(type='mmcount.DumpCounts', out_file=...)",
}


@METRICS.register_module()
class CountMetric(CountRecordMetric):
    """Errors of the number of objects in each image: in all, by class and by range.

    ==============================  ============================================================================
    key (after ``count/``)          meaning, in objects if nothing else is said
    ==============================  ============================================================================
    ``MAE``, ``RMSE``               of the total of all classes in an image
    ``NAE``, ``NAE_left_out``       mean of abs(error) / true over images with objects; images without
    ``bias``, ``std``               mean and standard deviation of predicted - true; RMSE^2 = bias^2 + std^2
    ``MAE_<class>`` ...             MAE, RMSE, bias of each class, and ``mMAE``, their mean (``classwise``, C > 1)
    ``MAE_0to9``, ``MAE_100up``     MAE, bias and number of the images whose true total lies in the range
                                    (``count_ranges``)
    ``saturated``                   images on which a cap of the method was reached, if the method has one
    ==============================  ============================================================================

    Images without objects always count. Other questions are other metrics, listed beside this one:
    :class:`ClassRMSEMetric`, :class:`CountValueMetric`, :class:`CalibrationMetric`, :class:`BaselineMetric`.

    Args:
        classwise: Report every class of a data set with several.
        count_ranges: Increasing lower edges of count ranges, for instance ``(0, 10, 100)``; the last is open.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: First part of the keys.
        moved: Options of earlier versions; refused with the metric that has them now.

    Raises:
        TypeError: An option belongs to another metric; the message names it.
        ValueError: ``count_ranges`` do not increase.

    Example:
        >>> metric = CountMetric()
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [3], 'pred_counts': [2.5]},
        ...                     {'img_id': 'b', 'gt_counts': [0], 'pred_counts': [0.0]}])
        >>> metric.evaluate(size=2)['count/MAE']
        0.25
    """

    def __init__(
        self,
        classwise: bool = True,
        count_ranges: Sequence[float] = (),
        score_thr: float = SCORE_THR,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        **moved: Any,
    ) -> None:
        for name in moved:
            fix = f'use {MOVED[name]} beside it' if name in MOVED else 'its options are listed in its documentation'
            raise TypeError(f'CountMetric has no option {name!r}: {fix}')
        super().__init__(score_thr=score_thr, collect_device=collect_device, prefix=prefix)
        errors_by_range([0], [0], count_ranges)  # refuses edges before the first epoch
        self.classwise = classwise
        self.count_ranges = tuple(count_ranges)

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the errors of the total, of each class and of each range."""
        pred, true = stack_counts(records)
        total_pred, total_true = pred.sum(axis=1), true.sum(axis=1)
        metrics = count_errors(total_pred, total_true)
        if self.classwise and true.shape[1] > 1:
            names = self.class_names(true.shape[1])
            tables = [count_errors(pred[:, index], true[:, index]) for index in range(len(names))]
            for name, table in zip(names, tables, strict=True):
                metrics.update({f'{key}_{name}': table[key] for key in ('MAE', 'RMSE', 'bias')})
            metrics['mMAE'] = float(np.mean([table['MAE'] for table in tables]))
        if self.count_ranges:
            for low, high, images, table in errors_by_range(total_pred, total_true, self.count_ranges):
                name = _range_name(low, high)
                metrics.update({f'images_{name}': images, f'MAE_{name}': table['MAE'], f'bias_{name}': table['bias']})
        flags = [one['saturated'] for one in records if one['saturated'] is not None]
        if flags:
            metrics['saturated'] = int(sum(flags))
        return metrics


def _range_name(low: float, high: float) -> str:
    # No brackets, commas or plus signs: some loggers refuse them in a key.
    if math.isinf(high):
        return f'{low:g}up'
    whole = float(low).is_integer() and float(high).is_integer()
    return f'{low:g}to{high - 1 if whole else high:g}'
