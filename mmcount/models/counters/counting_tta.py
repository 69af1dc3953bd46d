"""Test-time augmentation of a detector that counts."""

from collections.abc import Mapping
from typing import Any

import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps
from torch import Tensor

from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

from .value_readers import counted_sample, value_readers


def vote(overlaps: Tensor, values: Tensor, scores: Tensor, min_overlap: float = 0.5) -> tuple[Tensor, Tensor]:
    """The value that most of the overlapping boxes agree on, by the sum of their scores.

    Args:
        overlaps: (N, M) IoU of N merged boxes with M votes; 0 where a vote is not about the same class.
        values: (M,) what each says.
        scores: (M,) how sure each is.
        min_overlap: Least overlap of a vote.

    Returns:
        (N,) values, and (N,) their share of all scores.

    Example:
        >>> values, shares = vote(torch.ones(1, 3), torch.tensor([7, 8, 8]), torch.tensor([0.5, 0.25, 0.5]))
        >>> values.tolist(), shares.tolist()
        ([8], [0.6000000238418579])
    """
    distinct, index = values.unique(return_inverse=True)
    votes = (overlaps >= min_overlap).to(scores) * scores
    tally = votes.new_zeros(len(overlaps), len(distinct)).index_add_(1, index, votes)
    best, chosen = tally.max(dim=1)
    return distinct[chosen], best / tally.sum(dim=1).clamp(min=torch.finfo(tally.dtype).tiny)


def average(overlaps: Tensor, values: Tensor, scores: Tensor, min_overlap: float = 0.5) -> tuple[Tensor, Tensor]:
    """The mean of what the overlapping boxes say; arguments and shapes are those of :func:`vote`.

    Returns:
        (N,) values, rounded where they are whole numbers, and (N,) mean scores.

    Example:
        >>> values, scores = average(torch.ones(1, 2), torch.tensor([7, 10]), torch.tensor([7.25, 9.75]))
        >>> values.tolist(), scores.tolist()
        ([8], [8.5])
    """
    takes_part = (overlaps >= min_overlap).to(scores)
    shares = takes_part / takes_part.sum(dim=1, keepdim=True).clamp(min=1)
    means = shares @ values.to(scores)
    return means if values.is_floating_point() else means.round().to(values), shares @ scores


@MODELS.register_module()
class CountingTTAModel(DetTTAModel):
    """mmdet's merging of boxes from several views, after which the views decide on the count of each merged box.

    Takes part: every box of any view that has the class of the merged box and overlaps it by half or more. They vote,
    or, where the codec estimates numbers, are averaged. For :class:`mmcount.models.counters.CountingDetector` of any
    attribute, nested ones too, and for :class:`mmcount.models.counters.CLCNet`. The image is ``saturated`` where a view
    is, or where ``max_per_img`` boxes were kept.

    Args:
        tta_cfg: ``nms`` and ``max_per_img``, see mmdet.
        **kwargs: As mmdet's ``DetTTAModel``; ``module`` is the detector.

    Raises:
        ValueError: The detector reads no counts.
    """

    def __init__(self, tta_cfg: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(tta_cfg=tta_cfg, **kwargs)
        if not value_readers(self.module):
            raise ValueError(
                f'CountingTTAModel merges counts of a CountingDetector or CLCNet, got {type(self.module).__name__}; '
                "Faster or Cascade R-CNN with count heads is type='mmcount.CLCNet', other detectors are merged by "
                'mmdet.DetTTAModel'
            )

    def _merge_single_sample(self, data_samples: list[CountDataSample]) -> CountDataSample:
        views = [sample.pred_instances for sample in data_samples]
        # Where no view has a box, there is nothing to merge: the first view is as good as any.
        if not any(len(view) for view in views):
            return data_samples[0]
        plain = [DetDataSample(metainfo=one.metainfo, pred_instances=one.pred_instances) for one in data_samples]
        found = super()._merge_single_sample(plain).pred_instances
        boxes = self.merge_aug_bboxes([view.bboxes for view in views], None, [one.metainfo for one in data_samples])
        labels = torch.cat([view.labels for view in views])
        overlaps = bbox_overlaps(found.bboxes, boxes) * (found.labels[:, None] == labels)
        saturated = [sample.get('saturated') for sample in data_samples]
        merged = counted_sample(data_samples[0])
        merged.pred_instances = found
        for reader in value_readers(self.module):
            values = torch.cat([view[reader.attribute] for view in views])
            scores = torch.cat([view[reader.score_name] for view in views])
            decide = vote if reader.codec.is_classification else average
            reader.write_values(merged, *decide(overlaps, values, scores))
        if saturated[0] is not None:
            merged.saturated |= any(saturated) or 0 < self.tta_cfg['max_per_img'] <= len(found)
        return merged
