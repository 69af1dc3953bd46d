"""Sampled boxes that know the counts of their ground truth."""

from typing import Any

from mmdet.models.task_modules.assigners import AssignResult
from mmdet.models.task_modules.samplers import RandomSampler, SamplingResult
from mmengine.structures import InstanceData

from mmcount.registry import TASK_UTILS


def with_gt_counts(result: SamplingResult, gt_instances: InstanceData) -> SamplingResult:
    """Attach ``pos_gt_counts`` (P,) int64, the count of the ground truth that each positive box was assigned to.

    Where the ground truth has ``count_weights``, ``pos_gt_count_weights`` (P,) float is attached too.

    Any sampler becomes one of counts by passing its result through here: the sampler is the only place of mmdet that
    sees both the assignment and all ground truth.

    Raises:
        ValueError: The ground truth has no counts.
    """
    if 'counts' not in gt_instances:
        raise ValueError(
            f"gt_instances need 'counts' to teach a count head, found {sorted(gt_instances.keys())}; pack the data "
            "with PackCountInputs, boxes loaded by LoadCountAnnotations(geometry='counted_bboxes')"
        )
    index = result.pos_assigned_gt_inds.long()
    result.pos_gt_counts = gt_instances.counts[index]
    if 'count_weights' in gt_instances:
        result.pos_gt_count_weights = gt_instances.count_weights[index]
    return result


@TASK_UTILS.register_module()
class CountRandomSampler(RandomSampler):
    """mmdet's ``RandomSampler``, whose results carry ``pos_gt_counts`` too.

    Example:
        >>> sampler = dict(type='mmcount.CountRandomSampler', num=512, pos_fraction=0.25)
    """

    def sample(
        self, assign_result: AssignResult, pred_instances: InstanceData, gt_instances: InstanceData, **kwargs: Any
    ) -> SamplingResult:
        """Sample as mmdet does.

        Args:
            assign_result: Which ground truth each box belongs to.
            pred_instances: ``priors`` (n, 4).
            gt_instances: ``bboxes`` (k, 4), ``labels`` (k,), ``counts`` (k,).
            **kwargs: Passed on.

        Raises:
            ValueError: The ground truth has no counts.
        """
        return with_gt_counts(super().sample(assign_result, pred_instances, gt_instances, **kwargs), gt_instances)
