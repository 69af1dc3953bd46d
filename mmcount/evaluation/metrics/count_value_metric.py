"""Errors of each true count, as a metric of the MMEngine runner."""

from collections.abc import Sequence

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR

from ..functional.class_rmse import Rounding, round_counts
from ..functional.counting import errors_by_count
from .base import Record
from .count_files import check_table_path, write_errors_by_count
from .count_record import CountRecordMetric, stack_counts


@METRICS.register_module()
class CountValueMetric(CountRecordMetric):
    """Errors of the (image, class) pairs that share a true count: whether large counts are met as well as small ones.

    Keys, for a true count of 3: ``count/RMSE_count3``, ``MAE_count3``, ``bias_count3`` in objects, and
    ``pairs_count3``, their number. See :func:`mmcount.evaluation.functional.errors_by_count`.

    Args:
        values: True counts whose errors are reported, for instance ``range(1, 11)``.
        out_file: File that gets the errors of every true count: a table for ``.csv``, a figure for ``.png``; or a list
            of such files.
        rounding: How predicted counts are rounded: 'half_even', 'half_away' or 'none'.
        clamp: Raise negative counts to zero before they are rounded.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: An option is out of range, or neither ``values`` nor ``out_file`` is given.

    Example:
        >>> metric = CountValueMetric(values=(2,))
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [2, 0], 'pred_counts': [5.0, 0.0]}])
        >>> metric.evaluate(size=1)
        {'count/pairs_count2': 1, 'count/RMSE_count2': 3.0, 'count/MAE_count2': 3.0, 'count/bias_count2': 3.0}
    """

    def __init__(
        self,
        values: Sequence[int] = (),
        out_file: str | Sequence[str] = (),
        rounding: Rounding = 'half_even',
        clamp: bool = False,
        score_thr: float = SCORE_THR,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(score_thr=score_thr, collect_device=collect_device, prefix=prefix)
        round_counts([0], rounding)  # refuses a rounding before the first epoch
        self.out_files = (out_file,) if isinstance(out_file, str) else tuple(out_file)
        for path in self.out_files:
            check_table_path(path)
        if not values and not self.out_files:
            raise ValueError("CountValueMetric reports nothing: give it 'values', 'out_file' or both")
        self.values = tuple(values)
        self.rounding: Rounding = rounding
        self.clamp = clamp

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the errors of ``values``, and write those of every true count."""
        pred, true = stack_counts(records)
        table = errors_by_count(round_counts(pred, self.rounding, self.clamp), true)
        for path in self.out_files:
            write_errors_by_count(path, table)
        metrics: dict[str, float] = {}
        for count, pairs, errors in table:
            if count in self.values:
                metrics[f'pairs_count{count:g}'] = pairs
                metrics.update({f'{name}_count{count:g}': errors[name] for name in ('RMSE', 'MAE', 'bias')})
        return metrics
