"""The box head of CLCNet: class, box and count from one shared feature."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmcount.codecs import BoxCountCodec
from mmcount.registry import MODELS

from .count_output import build_codec, build_loss, output_init, stage_loss


class BoxAndCount(NamedTuple):
    """Predictions for n boxes beside their class.

    mmdet's RoI heads pass the box prediction of a head on without looking into it and let the head split it by image
    (``bbox_pred_split``), so that counts ride along with it through training, refinement and testing.

    Shape:
        bbox_pred: (n, 4) or (n, 4 * classes) box deltas, or None.
        cnt_score: (n, channels) or (n, classes * channels) output of the count layer.
    """

    bbox_pred: Tensor | None
    cnt_score: Tensor


@MODELS.register_module()
class CountBBoxHead(Shared2FCBBoxHead):
    """Two shared fully connected layers, then class, box and count (CLCNet, Cai et al., AAAI 2021, Sec. 4).

    The loss of a count is averaged over the positive boxes of a batch: boxes without an object have no count. At test
    time the count follows its box through non-maximum suppression by index.

    Args:
        codec: :class:`mmcount.codecs.BoxCountCodec` or its config; RoI heads fill it in.
        stage: Stage of the cascade, from 0; RoI heads fill it in.
        loss_cnt: Config of the loss; None takes that of the paper: cross-entropy of weight 0.1 for bins, smooth L1 of
            weight 1e-4 for numbers.
        count_class_agnostic: Whether all classes of a box share one count; None shares bins, and estimates one number
            per class where there is one box per class, as the released code of the paper does.
        **kwargs: As mmdet's ``Shared2FCBBoxHead``.

    Raises:
        ValueError: ``stage`` is none of the codec's.

    Example:
        >>> codec = dict(type='mmcount.DigitCodec', max_count=20, base=10)
        >>> head = CountBBoxHead(codec=codec, in_channels=8, fc_out_channels=16, num_classes=3)
        >>> scores, (deltas, cnt_score) = head(torch.zeros(2, 8, 7, 7))
        >>> scores.shape, deltas.shape, cnt_score.shape
        (torch.Size([2, 4]), torch.Size([2, 12]), torch.Size([2, 100]))
    """

    def __init__(
        self,
        codec: BoxCountCodec | Mapping[str, Any],
        stage: int = 0,
        loss_cnt: Mapping[str, Any] | None = None,
        count_class_agnostic: bool | None = None,
        **kwargs: Any,
    ) -> None:
        # The defaults of mmdet's head name mmdet's parts without their scope.
        with DefaultScope.overwrite_default_scope('mmdet'):
            super().__init__(**kwargs)
        self.codec = build_codec(codec)
        if not 0 <= stage < self.codec.num_stages:
            raise ValueError(f'stage must be in 0..{self.codec.num_stages - 1}, got {stage}')
        self.stage = stage
        if count_class_agnostic is None:
            count_class_agnostic = self.codec.is_classification or self.reg_class_agnostic
        self.count_class_agnostic = count_class_agnostic
        self.loss_cnt = build_loss(self.codec, loss_cnt)
        per_class = 1 if count_class_agnostic else self.num_classes
        self.fc_cnt = nn.Linear(self.cls_last_dim, per_class * self.codec.channels(stage))
        if kwargs.get('init_cfg') is None:
            self.init_cfg += [output_init(self.codec, 'fc_cnt')]

    def forward(self, x: Tensor) -> tuple[Tensor | None, BoxAndCount]:
        """Predict class, box and count.

        Args:
            x: (n, C, 7, 7) features of n boxes.

        Returns:
            (n, classes + 1) class logits, and `BoxAndCount`.
        """
        x = (self.avg_pool(x) if self.with_avg_pool else x).flatten(1)
        for fc in self.shared_fcs:
            x = self.relu(fc(x))
        cls_score = self.fc_cls(x) if self.with_cls else None
        bbox_pred = self.fc_reg(x) if self.with_reg else None
        return cls_score, BoxAndCount(bbox_pred, self.fc_cnt(x))

    def bbox_pred_split(self, bbox_pred: BoxAndCount, num_proposals_per_img: Sequence[int]) -> list[BoxAndCount]:
        """Split the predictions of a batch into those of its images."""
        sizes = list(num_proposals_per_img)
        boxes = [None] * len(sizes) if bbox_pred.bbox_pred is None else bbox_pred.bbox_pred.split(sizes)
        return [BoxAndCount(*pair) for pair in zip(boxes, bbox_pred.cnt_score.split(sizes), strict=True)]

    def loss_and_target(
        self,
        cls_score: Tensor,
        bbox_pred: BoxAndCount,
        rois: Tensor,
        sampling_results: list[SamplingResult],
        rcnn_train_cfg: Mapping[str, Any],
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The losses of mmdet's head and ``loss_cnt``; ``acc_cnt``, the share of right counts (bins) in percent.

        Args:
            cls_score: (n, classes + 1).
            bbox_pred: What ``forward`` gave beside it.
            rois: (n, 5).
            sampling_results: One per image, with ``pos_gt_counts``; rows are the positive boxes of an image, then its
                negative ones.
            rcnn_train_cfg: ``train_cfg`` of the RoI head.
            **kwargs: Passed on.

        Raises:
            ValueError: The sampling results carry no counts.
        """
        results = super().loss_and_target(
            cls_score, bbox_pred.bbox_pred, rois, sampling_results, rcnn_train_cfg, **kwargs
        )
        results['loss_bbox'].update(self.count_loss(bbox_pred.cnt_score, sampling_results))
        return results

    def count_loss(self, cnt_score: Tensor, sampling_results: list[SamplingResult]) -> dict[str, Tensor]:
        """``loss_cnt`` and ``acc_cnt`` of the positive boxes; zero, with a gradient of zero, where there are none.

        ``pos_gt_count_weights``, where the results have them, weigh the boxes: 0 for a group that a crop has cut.

        Args:
            cnt_score: (n, channels) or (n, classes * channels) output of the count layer.
            sampling_results: As in ``loss_and_target``.

        Raises:
            ValueError: The sampling results carry no counts.
        """
        if not all(hasattr(result, 'pos_gt_counts') for result in sampling_results):
            raise ValueError(
                "the sampler attached no counts to its results; set sampler=dict(type='mmcount.CountRandomSampler', "
                '...) in every train_cfg.rcnn, or pass the results through mmcount.models.roi_heads.with_gt_counts'
            )
        flags = [
            cnt_score.new_full((len(boxes),), is_positive, dtype=torch.bool)
            for result in sampling_results
            for boxes, is_positive in ((result.pos_priors, True), (result.neg_priors, False))
        ]
        rows = torch.cat(flags).nonzero().squeeze(1)
        labels = torch.cat([result.pos_gt_labels for result in sampling_results])
        counts = torch.cat([result.pos_gt_counts for result in sampling_results])
        output = self._of_class(cnt_score, rows, labels)
        target = self.codec.encode(counts)[:, self.stage]
        weights = torch.cat(
            [
                getattr(result, 'pos_gt_count_weights', cnt_score.new_ones(len(result.pos_gt_counts)))
                for result in sampling_results
            ]
        )
        loss = stage_loss(self.loss_cnt, self.codec, output, target, weights)
        found = output.detach()
        guess = found.argmax(dim=1) if self.codec.is_classification else found.squeeze(1).round()
        right = ((guess == target) * weights).sum() / weights.sum().clamp(min=1)
        return dict(loss_cnt=loss, acc_cnt=right.view(1) * 100)

    def _of_class(self, cnt_score: Tensor, rows: Tensor, labels: Tensor) -> Tensor:
        """(k, channels): the outputs of ``rows`` for the classes ``labels``, both (k,)."""
        if self.count_class_agnostic:
            return cnt_score[rows]
        return self._per_class(cnt_score)[rows, labels]

    def _per_class(self, cnt_score: Tensor) -> Tensor:
        """(n, classes, channels)."""
        return cnt_score.view(-1, self.num_classes, self.codec.channels(self.stage))

    def refine_bboxes(
        self, sampling_results: list[SamplingResult], bbox_results: dict[str, Any], batch_img_metas: list[dict]
    ) -> list[InstanceData] | None:
        """Boxes for the next stage, as mmdet refines them."""
        results = {**bbox_results, 'bbox_pred': bbox_results['bbox_pred'].bbox_pred}
        return super().refine_bboxes(sampling_results, results, batch_img_metas)

    def regress_by_class(
        self, priors: Tensor, label: Tensor, bbox_pred: BoxAndCount | Tensor, img_meta: dict
    ) -> Tensor:
        """(n, 4) boxes moved by the deltas of their class, as in mmdet."""
        deltas = bbox_pred.bbox_pred if isinstance(bbox_pred, BoxAndCount) else bbox_pred
        return super().regress_by_class(priors, label, deltas, img_meta)

    def _predict_by_feat_single(
        self,
        roi: Tensor,
        cls_score: Tensor,
        bbox_pred: BoxAndCount,
        img_meta: dict,
        rescale: bool = False,
        rcnn_test_cfg: Any = None,
    ) -> InstanceData:
        """The detections of an image: as mmdet's, with ``counts`` (k,) int64 and ``count_scores`` (k,).

        Without ``rcnn_test_cfg`` the boxes are not suppressed, and the counts are those of the boxes: (n,), or
        (n, classes).
        """
        if not len(roi):
            results = super()._predict_by_feat_single(
                roi, cls_score, bbox_pred.bbox_pred, img_meta, rescale, rcnn_test_cfg
            )
            return with_empty_counts(results)
        # mmdet forgets which box each detection comes from, so its step before the suppression is taken, and the
        # suppression done here.
        results = super()._predict_by_feat_single(roi, cls_score, bbox_pred.bbox_pred, img_meta, rescale, None)
        output = bbox_pred.cnt_score
        if rcnn_test_cfg is None:
            output = output if self.count_class_agnostic else self._per_class(output)
            results.counts, results.count_scores = self.codec.decode(output)
            return results
        detections, labels, index = multiclass_nms(
            results.bboxes,
            results.scores,
            rcnn_test_cfg.score_thr,
            rcnn_test_cfg.nms,
            rcnn_test_cfg.max_per_img,
            return_inds=True,
            box_dim=4,
        )
        rows = torch.div(index, results.scores.shape[1] - 1, rounding_mode='floor')
        counts, count_scores = self.codec.decode(self._of_class(output, rows, labels))
        return InstanceData(
            bboxes=detections[:, :4],
            scores=detections[:, 4],
            labels=labels,
            counts=counts,
            count_scores=count_scores,
        )


def with_empty_counts(results: InstanceData) -> InstanceData:
    """Give results without any box their empty ``counts`` and ``count_scores``."""
    results.counts = results.labels.new_zeros(0)
    results.count_scores = results.scores.new_zeros(0)
    return results
