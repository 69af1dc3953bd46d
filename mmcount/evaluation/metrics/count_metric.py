"""MAE, RMSE, NAE, bias and their relatives, as a metric of the MMEngine runner."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmcount.registry import METRICS
from mmcount.structures.prediction import predicted_counts, to_dict, to_numpy, true_counts
from mmcount.utils.atomic import write_atomic

from ..functional.calibration import LineCalibration, fit_line_calibration, fit_scale_calibration
from ..functional.counting import count_errors, errors_by_range, interval_coverage, mae, mean_class_rmse
from .base import OneRecordMetric
from .baseline import MeanBaseline

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
    ``mRMSE``, ``m-relRMSE``, -nz   of rounded counts, mean over classes (``class_rmse``)
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
        class_rmse: Report mRMSE, m-relRMSE, mRMSE-nz and m-relRMSE-nz.
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
        errors_by_range([0], [0], count_ranges)  # refuses unordered edges before the first epoch, not after it
        self.classwise = classwise
        self.count_ranges = tuple(count_ranges)
        self.class_rmse = class_rmse
        self.score_thr = score_thr
        self.baseline = None if baseline is None else MeanBaseline(**baseline)
        self.save_calibration = save_calibration
        self.calibration = calibration
        self.calibration_file = calibration_file
        self.out_file = out_file

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, where the data set says them."""
        names = (self.dataset_meta or {}).get('classes')
        return None if names is None else ((names,) if isinstance(names, str) else tuple(names))

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
            metrics.update(_class_rmse(pred, true))
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
            content = {'kind': self.calibration, 'slope': line.slope, 'offset': line.offset, 'images': len(true)}
            write_atomic(self.save_calibration, json.dumps(content, indent=2) + '\n')
        if self.out_file is not None:
            write_atomic(self.out_file, _to_csv(results, names))
        # A key is left out where its number does not exist (NAE of images that are all empty): loggers that write
        # strict JSON cannot hold a NaN.
        return {key: value for key, value in metrics.items() if not math.isnan(value)}

    def _calibrated(self, results: list[dict[str, Any]], pred: FloatArray, true: FloatArray) -> dict[str, float]:
        if self.calibration_file is not None:
            pred = load_calibration(self.calibration_file).apply(pred)
        elif all(one['calibrated'] is not None for one in results):
            pred = _stack(results, 'calibrated').sum(axis=1)
        else:
            return {}
        errors = count_errors(pred, true)
        return {f'{key}_calibrated': errors[key] for key in ('MAE', 'RMSE', 'bias')}


def load_calibration(path: str | Path) -> LineCalibration:
    """Read the line that ``CountMetric(save_calibration=...)`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not such a JSON file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        line = LineCalibration(slope=float(content['slope']), offset=float(content['offset']))
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{path}: no calibration file; evaluate the checkpoint on the validation set with '
            f"CountMetric(save_calibration='{path}') first"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected JSON with the numbers "slope" and "offset", found {error!r}') from error
    if not math.isfinite(line.slope) or not math.isfinite(line.offset):
        raise ValueError(f'{path}: slope and offset must be finite, found {line}')
    return line


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


def _class_rmse(pred: FloatArray, true: FloatArray) -> dict[str, float]:
    return {
        f'{"m-relRMSE" if relative else "mRMSE"}{"-nz" if nonzero else ""}': mean_class_rmse(
            pred, true, relative=relative, nonzero=nonzero
        )
        for relative in (False, True)
        for nonzero in (False, True)
    }


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


def _to_csv(results: list[dict[str, Any]], names: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['img_id', 'class', 'gt', 'pred', 'lo', 'hi'])
    for record in results:
        for index, name in enumerate(names):
            bounds = [''] * 2 if record['interval'] is None else [f'{bound:.6g}' for bound in record['interval'][index]]
            # Nine digits keep a float32 count exactly.
            writer.writerow(
                [record['img_id'], name, f'{record["true"][index]:.9g}', f'{record["pred"][index]:.9g}', *bounds]
            )
    return buffer.getvalue()
