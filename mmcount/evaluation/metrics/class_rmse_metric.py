"""mRMSE and its relatives, as a metric of the MMEngine runner."""

import logging
from functools import partial

from mmengine.logging import print_log

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR

from ..functional.class_rmse import Rounding, class_rmse_table, resampled_std, round_counts
from .base import Record
from .count_record import CountRecordMetric, stack_counts


@METRICS.register_module()
class ClassRMSEMetric(CountRecordMetric):
    """RMSE of rounded counts, every class alike: ``count/mRMSE``, ``m-relRMSE``, ``mRMSE-nz`` and ``m-relRMSE-nz``.

    Cholakkal et al., "Object Counting and Instance Segmentation with Image-level Supervision", section 5, after
    Chattopadhyay et al., "Counting Everyday Objects in Everyday Scenes"; see
    :func:`mmcount.evaluation.functional.mean_class_rmse`. A class that no image holds is left out of the non-zero
    forms (``-nz``), with a warning.

    Args:
        rounding: How counts are rounded: 'half_even' (Cholakkal et al.), 'half_away' (Chattopadhyay et al., with
            ``clamp``) or 'none'.
        clamp: Raise negative counts to zero before they are rounded.
        resamples: Random samples of 80 % of the images whose deviation is reported as ``mRMSE_std`` ...; 10 in
            Chattopadhyay et al.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> metric = ClassRMSEMetric()
        >>> metric.process({}, [{'img_id': 'a', 'gt_counts': [1, 2], 'pred_counts': [1.4, 3.6]}])
        >>> metric.evaluate(size=1)['count/mRMSE']  # (0 + 2) / 2
        1.0
    """

    def __init__(
        self,
        rounding: Rounding = 'half_even',
        clamp: bool = False,
        resamples: int = 0,
        score_thr: float = SCORE_THR,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(score_thr=score_thr, collect_device=collect_device, prefix=prefix)
        round_counts([0], rounding)  # refuses a rounding before the first epoch
        if resamples < 0 or resamples == 1:
            raise ValueError(f'resamples must be 0 or at least 2, got {resamples}')
        self.rounding: Rounding = rounding
        self.clamp = clamp
        self.resamples = resamples
        self._warned = False

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the four means, and their deviations."""
        pred, true = stack_counts(records)
        names = self.class_names(true.shape[1])
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
