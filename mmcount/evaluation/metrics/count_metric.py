"""MAE, RMSE, NAE, bias and their relatives, as a metric of the MMEngine runner."""

import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import predicted_counts, to_dict, to_numpy, true_counts

from ..functional.calibration import fit_line_calibration, fit_scale_calibration
from ..functional.class_rmse import Rounding, class_rmse_table, resampled_std, round_counts
from ..functional.counting import count_errors, errors_by_count, errors_by_range, interval_coverage, mae
from .base import OneRecordMetric
from .baseline import MeanBaseline
from .count_files import check_table_path, load_calibration, write_calibration, write_counts, write_errors_by_count

FloatArray = NDArray[np.float64]


@METRICS.register_module()
class CountMetric(OneRecordMetric):
    """Errors of the number of objects in each image.

    ==============================  ============================================================================
    key (after ``count/``)          meaning, in objects where nothing else is said
    ==============================  ============================================================================
    ``MAE``, ``RMSE``               of the total of all classes in an image
    ``NAE``, ``NAE_left_out``       mean of abs(error) / true over images with objects; images without
    ``bias``, ``std``               mean and standard deviation of predicted - true; RMSE^2 = bias^2 + std^2
    ``MAE_<class>`` ...             the same for each class, and ``mMAE``, their mean (``classwise``, C > 1)
    ``MAE_0to9``, ``MAE_100up``     of images whose true total lies in the range (``count_ranges``)
    ``mRMSE``, ``m-relRMSE``, -nz   of rounded counts, mean over classes (``class_rmse``); ``mRMSE_std`` ... is the
                                    deviation over ``resamples`` of 80 % of the images
    ``RMSE_count3`` ...             RMSE, MAE, bias and number of the (image, class) pairs with this true count, of
                                    rounded counts (``count_values``)
    ``coverage``                    share of (image, class) pairs with the truth inside ``pred_interval``
    ``interval_width``              mean width of ``pred_interval``
    ``MAE_mean_baseline`` ...       MAE, RMSE, bias of always predicting the mean of the training set
    ``MAE_calibrated`` ...          MAE, RMSE, bias of ``pred_calibrated_counts``, where the model says them, or after
                                    the line of ``calibration_file``
    ``saturated``                   images on which a cap of the method was reached, where the method says so
    ==============================  ============================================================================

    Images without objects always count. A calibration never saw the images that it is judged on: a model carries its
    own, or the checkpoint is evaluated on the validation set with ``save_calibration`` and then on the test set with
    ``calibration_file``, which belongs to this one checkpoint and corrects the total of all classes.

    Args:
        classwise: Report every class of a data set with several.
        count_ranges: Increasing lower edges of count ranges, for instance ``(0, 10, 100)``; the last is open.
        class_rmse: Report mRMSE, m-relRMSE, mRMSE-nz and m-relRMSE-nz. A class that no image holds is left out of
            the non-zero forms, with a warning.
        rounding: How counts are rounded for ``class_rmse`` and for errors by count: 'half_even' (Cholakkal et al.),
            'half_away' (Chattopadhyay et al., with ``clamp``) or 'none'. All other numbers are of counts as they are.
        clamp: Raise negative counts to zero before they are rounded.
        resamples: Random samples for the deviation of the numbers of ``class_rmse``; 10 in Chattopadhyay et al.
        count_values: True counts whose errors are reported, for instance ``range(1, 11)``.
        count_values_file: File that gets the errors of every true count: a table for ``.csv``, a figure for ``.png``;
            or a list of such files.
        score_thr: Lowest score of an instance that counts, for detectors, which say instances and no counts.
        baseline: ``dict(mean_count=...)`` or ``dict(dataset=<config of the training set>)``.
        save_calibration: JSON file that gets the line fitted on the images of this evaluation.
        calibration: What to fit: 'line' or 'scale' (a line through zero).
        calibration_file: JSON file written by ``save_calibration``; adds the calibrated numbers.
        out_file: CSV file that gets a row for every image and class, zeros included.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> metric = CountMetric()
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [3], 'pred_counts': [2.5]},
        ...                     {'img_id': 'b', 'gt_counts': [0], 'pred_counts': [0.0]}])
        >>> metric.evaluate(size=2)['count/MAE']
        0.25
    """

    default_prefix = 'count'

    def __init__(
        self,
        classwise: bool = True,
        count_ranges: Sequence[float] = (),
        class_rmse: bool = False,
        rounding: Rounding = 'half_even',
        clamp: bool = False,
        resamples: int = 0,
        count_values: Sequence[int] = (),
        count_values_file: str | Sequence[str] | None = None,
        score_thr: float = 0.3,
        baseline: Mapping[str, Any] | None = None,
        save_calibration: str | None = None,
        calibration: Literal['line', 'scale'] = 'line',
        calibration_file: str | None = None,
        out_file: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if calibration not in ('line', 'scale'):
            raise ValueError(f"calibration must be 'line' or 'scale', got {calibration!r}")
        # These refuse what cannot be before the first epoch, not after it.
        errors_by_range([0], [0], count_ranges)
        round_counts([0], rounding)
        self.count_values_files = _listed(count_values_file)
        for path in self.count_values_files:
            check_table_path(path)
        if resamples < 0 or resamples == 1 or (resamples and not class_rmse):
            raise ValueError(f'resamples must be 0, or at least 2 together with class_rmse, got {resamples}')
        self.classwise = classwise
        self.count_ranges = tuple(count_ranges)
        self.class_rmse = class_rmse
        self.rounding: Rounding = rounding
        self.clamp = clamp
        self.resamples = resamples
        self.count_values = tuple(count_values)
        self.score_thr = score_thr
        self.baseline = None if baseline is None else MeanBaseline(**baseline)
        self.save_calibration = save_calibration
        self.calibration = calibration
        self.calibration_file = calibration_file
        self.out_file = out_file
        self._warned = False

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the counts of a batch.

        Args:
            data_batch: Not used.
            data_samples: Data samples or their dicts, with ground truth and prediction.

        Raises:
            ValueError: A count is missing, not finite, or of another number of classes; the message names the image.
        """
        for sample in data_samples:
            fields = to_dict(sample)
            num_classes = None if self.classes is None else len(self.classes)
            # Without class names, an explicit count vector on either side says how many classes there are.
            for name in ('gt_counts', 'pred_counts'):
                if num_classes is None and fields.get(name) is not None:
                    num_classes = to_numpy(fields[name]).size
            true = true_counts(fields, num_classes)
            pred = predicted_counts(fields, true.size if num_classes is None else num_classes, self.score_thr)
            interval = fields.get('pred_interval')
            self.add_record(
                fields,
                {
                    'true': true,
                    'pred': pred,
                    'interval': None if interval is None else _interval(interval, true.size, fields),
                    'calibrated': _calibrated(fields, true.size),
                    'saturated': None if fields.get('saturated') is None else float(fields['saturated']),
                },
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """The metrics of the merged records, one for each image."""
        if not results:
            raise ValueError('no image was evaluated')
        pred, true = _stack(results, 'pred'), _stack(results, 'true')
        names = self.classes or tuple(str(index) for index in range(true.shape[1]))
        total_pred, total_true = pred.sum(axis=1), true.sum(axis=1)
        metrics = count_errors(total_pred, total_true)
        if self.classwise and len(names) > 1:
            metrics.update(_per_class(pred, true, names))
        for low, high, images, errors in errors_by_range(total_pred, total_true, self.count_ranges):
            name = _range_name(low, high)
            metrics.update({f'images_{name}': images, f'MAE_{name}': errors['MAE'], f'bias_{name}': errors['bias']})
        if self.class_rmse:
            metrics.update(self._class_rmse(pred, true, names))
        if self.count_values or self.count_values_files:
            metrics.update(self._errors_by_count(pred, true))
        metrics.update(_intervals(results, true))
        flags = [one['saturated'] for one in results if one['saturated'] is not None]
        if flags:
            metrics['saturated'] = int(sum(flags))
        if self.baseline is not None:
            metrics.update(_baseline(self.baseline.mean(), pred.shape[1], total_true))
        metrics.update(self._calibrated(results, total_pred, total_true))
        if self.save_calibration is not None:
            line = (fit_line_calibration if self.calibration == 'line' else fit_scale_calibration)(
                total_pred, total_true
            )
            write_calibration(self.save_calibration, line, self.calibration, len(true))
        if self.out_file is not None:
            write_counts(self.out_file, results, names)
        # A key is left out where its number does not exist (NAE of images that are all empty): loggers that write
        # strict JSON cannot hold a NaN.
        return {key: value for key, value in metrics.items() if not math.isnan(value)}

    def _class_rmse(self, pred: FloatArray, true: FloatArray, names: Sequence[str]) -> dict[str, float]:
        absent = [name for name, number in zip(names, true.sum(axis=0), strict=True) if not number]
        if absent and not self._warned:
            self._warned = True
            print_log(
                f'no image holds {len(absent)} of {len(names)} classes ({", ".join(absent[:5])}'
                f'{" ..." if len(absent) > 5 else ""}); mRMSE-nz and m-relRMSE-nz are the means of the others',
                logger='current',
                level=logging.WARNING,
            )
        measure = partial(class_rmse_table, rounding=self.rounding, clamp=self.clamp)
        metrics = measure(pred, true)
        if self.resamples:
            deviations = resampled_std(measure, pred, true, times=self.resamples)
            metrics.update({f'{name}_std': value for name, value in deviations.items()})
        return metrics

    def _errors_by_count(self, pred: FloatArray, true: FloatArray) -> dict[str, float]:
        table = errors_by_count(round_counts(pred, self.rounding, self.clamp), true)
        for path in self.count_values_files:
            write_errors_by_count(path, table)
        metrics: dict[str, float] = {}
        for count, pairs, errors in table:
            if count in self.count_values:
                metrics[f'pairs_count{count:g}'] = pairs
                metrics.update({f'{name}_count{count:g}': errors[name] for name in ('RMSE', 'MAE', 'bias')})
        return metrics

    def _calibrated(self, results: list[dict[str, Any]], pred: FloatArray, true: FloatArray) -> dict[str, float]:
        if self.calibration_file is not None:
            pred = load_calibration(self.calibration_file).apply(pred)
        elif all(one['calibrated'] is not None for one in results):
            pred = _stack(results, 'calibrated').sum(axis=1)
        else:
            return {}
        errors = count_errors(pred, true)
        return {f'{key}_calibrated': errors[key] for key in ('MAE', 'RMSE', 'bias')}


def _listed(paths: str | Sequence[str] | None) -> tuple[str, ...]:
    if paths is None:
        return ()
    return (paths,) if isinstance(paths, str) else tuple(paths)


def _calibrated(fields: Mapping[str, Any], num_classes: int) -> FloatArray | None:
    if fields.get('pred_calibrated_counts') is None:
        return None
    # The same checks as of the raw counts, under the name of the image.
    return predicted_counts({**fields, 'pred_counts': fields['pred_calibrated_counts']}, num_classes)


def _interval(value: Any, num_classes: int, fields: Mapping[str, Any]) -> FloatArray:
    interval = to_numpy(value).reshape(-1, 2)
    if len(interval) != num_classes or not (interval[:, 0] <= interval[:, 1]).all():
        raise ValueError(
            f'image {fields.get("img_id", "?")}: pred_interval must hold a lower and an upper bound of each of '
            f'{num_classes} classes, got {interval.tolist()}'
        )
    return interval


def _stack(results: list[dict[str, Any]], name: str) -> FloatArray:
    sizes = {one[name].size: one['img_id'] for one in results}
    if len(sizes) > 1:
        raise ValueError(f'images have different numbers of classes (number: an image that has it): {sizes}')
    return np.stack([one[name] for one in results])


def _per_class(pred: FloatArray, true: FloatArray, names: Sequence[str]) -> dict[str, float]:
    metrics = {}
    for index, name in enumerate(names):
        errors = count_errors(pred[:, index], true[:, index])
        metrics.update({f'{key}_{name}': errors[key] for key in ('MAE', 'RMSE', 'bias')})
    metrics['mMAE'] = float(np.mean([mae(pred[:, index], true[:, index]) for index in range(len(names))]))
    return metrics


def _intervals(results: list[dict[str, Any]], true: FloatArray) -> dict[str, float]:
    told = [index for index, one in enumerate(results) if one['interval'] is not None]
    if not told:
        return {}
    intervals = np.concatenate([results[index]['interval'] for index in told])
    coverage, width = interval_coverage(intervals, true[told].reshape(-1))
    return {'coverage': coverage, 'interval_width': width}


def _baseline(mean: FloatArray, num_classes: int, true: FloatArray) -> dict[str, float]:
    if mean.size not in (1, num_classes):
        raise ValueError(f'the baseline has {mean.size} classes, the evaluated data set {num_classes}')
    errors = count_errors(np.full_like(true, mean.sum()), true)
    return {f'{key}_mean_baseline': errors[key] for key in ('MAE', 'RMSE', 'bias')}


def _range_name(low: float, high: float) -> str:
    # No brackets, commas or plus signs: some loggers refuse them in a key.
    if math.isinf(high):
        return f'{low:g}up'
    whole = float(low).is_integer() and float(high).is_integer()
    return f'{low:g}to{high - 1 if whole else high:g}'
