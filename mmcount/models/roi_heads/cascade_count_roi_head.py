"""CLCNet: a cascade that resolves the count of a box digit by digit."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.models.roi_heads import CascadeRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from torch import Tensor

from mmcount.codecs import BoxCountCodec
from mmcount.registry import MODELS

from .count_bbox_head import BoxAndCount
from .count_output import build_codec
from .count_prediction import CountPredictionMixin

COUNT_STAGES = ('last', 'all')


@MODELS.register_module()
class CascadeCountRoIHead(CountPredictionMixin, CascadeRoIHead):
    """mmdet's ``CascadeRoIHead`` with a :class:`CountBBoxHead` at every stage: CLCNet s(N) (Cai et al., AAAI 2021).

    Stage k learns the leading digits of the count that the codec gives it, the last one the exact count. The weight of
    the count loss does not shrink with ``stage_loss_weights``. At test time class logits are averaged over the stages
    and boxes come from the last one, as in mmdet. Every ``train_cfg.rcnn[k].sampler`` must be one of counts, such as
    :class:`CountRandomSampler`.

    Args:
        num_stages: N.
        stage_loss_weights: N weights of the class and box losses, none of them 0.
        codec: :class:`mmcount.codecs.BoxCountCodec` of N stages, or its config.
        bbox_head: Config of the heads, without codec and stage, or a list of N.
        count_stages: Where the count comes from: 'last', the last stage alone, as published; or 'all', the average of
            what the stages say, each count with the score of its coarse bin (see the codec's ``fuse``).
        **kwargs: As mmdet's ``CascadeRoIHead``.

    Raises:
        ValueError: Numbers of stages differ, or a stage weight is 0.

    Example:
        >>> roi_head = dict(
        ...     type='mmcount.CascadeCountRoIHead',
        ...     num_stages=2,
        ...     stage_loss_weights=[1, 0.5],
        ...     codec=dict(type='mmcount.DigitCodec', max_count=56, base=10),
        ...     bbox_head=dict(type='mmcount.CountBBoxHead', num_classes=140, reg_class_agnostic=True),
        ... )
    """

    def __init__(
        self,
        num_stages: int,
        stage_loss_weights: Sequence[float],
        codec: BoxCountCodec | Mapping[str, Any],
        bbox_head: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        count_stages: str = 'last',
        **kwargs: Any,
    ) -> None:
        heads = [bbox_head] * num_stages if isinstance(bbox_head, Mapping) else list(bbox_head)
        if not len(heads) == len(stage_loss_weights) == num_stages:
            raise ValueError(
                f'{num_stages} stages need as many heads and weights, got {len(heads)} heads and '
                f'{len(stage_loss_weights)} weights'
            )
        if 0 in stage_loss_weights:
            raise ValueError(f'stage_loss_weights must not be 0, got {list(stage_loss_weights)}')
        if count_stages not in COUNT_STAGES:
            raise ValueError(f'count_stages must be one of {COUNT_STAGES}, got {count_stages!r}')
        built = build_codec(codec, num_stages)
        super().__init__(
            num_stages=num_stages,
            stage_loss_weights=list(stage_loss_weights),
            bbox_head=[dict(head, codec=built, stage=stage) for stage, head in enumerate(heads)],
            **kwargs,
        )
        self.codec = built
        self.count_stages = count_stages

    def bbox_loss(self, stage: int, x: tuple[Tensor, ...], sampling_results: list[SamplingResult]) -> dict[str, Any]:
        """As mmdet's, with ``loss_cnt`` divided by the weight that mmdet is about to multiply it by."""
        results = super().bbox_loss(stage, x, sampling_results)
        losses = results['loss_bbox']
        losses['loss_cnt'] = losses['loss_cnt'] / self.stage_loss_weights[stage]
        return results

    def _bbox_forward(
        self, stage: int, x: tuple[Tensor, ...], rois: Tensor, cnt_scores: list[Tensor] | None = None
    ) -> dict[str, Any]:
        """As mmdet's; appends the count scores of the stage to ``cnt_scores``."""
        results = super()._bbox_forward(stage, x, rois)
        if cnt_scores is not None:
            cnt_scores.append(results['bbox_pred'].cnt_score)
        return results

    def _refine_roi(
        self,
        x: tuple[Tensor, ...],
        rois: Tensor,
        batch_img_metas: list[dict],
        num_proposals_per_img: Sequence[int],
        **kwargs: Any,
    ) -> tuple[Sequence[Tensor], list[Tensor], Sequence[BoxAndCount]]:
        """As mmdet's; with ``count_stages='all'`` the count scores are those of all stages together."""
        cnt_scores: list[Tensor] = []
        rois, cls_scores, bbox_preds = super()._refine_roi(
            x, rois, batch_img_metas, num_proposals_per_img, cnt_scores=cnt_scores, **kwargs
        )
        if self.count_stages == 'all':
            fused = self.codec.fuse([self._per_class(score, stage) for stage, score in enumerate(cnt_scores)])
            per_image = fused.flatten(1).split(list(num_proposals_per_img))
            bbox_preds = [BoxAndCount(pred.bbox_pred, score) for pred, score in zip(bbox_preds, per_image, strict=True)]
        return rois, cls_scores, bbox_preds

    def _per_class(self, cnt_score: Tensor, stage: int) -> Tensor:
        """(n, 1, channels) or (n, classes, channels)."""
        return cnt_score.view(len(cnt_score), -1, self.codec.channels(stage))
