"""ABO and AP of instance masks, as a metric of the MMEngine runner."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from mmdet.structures.mask import BaseInstanceMasks
from numpy.typing import NDArray

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import instance_labels, to_dict, to_numpy

from ..functional.mask_overlap import (
    AP_MODES,
    MATCHINGS,
    APMode,
    Matching,
    Rles,
    average_best_overlap,
    average_precision,
    encode_masks,
    mask_ious,
    match_masks,
    remove_pixels,
)
from .base import OneRecordMetric, Record

FloatArray = NDArray[np.float64]


@METRICS.register_module()
class MaskOverlapMetric(OneRecordMetric):
    """Overlap and average precision of predicted instance masks.

    ==============================  ============================================================================
    key (after ``segm/``)           meaning, as a share
    ==============================  ============================================================================
    ``ABO``                         best IoU of each true instance with a prediction of its class, 0 without any;
                                    mean over all instances
    ``MABO``                        the same, mean over the instances of each class, then over classes
    ``ABO_pairs``                   the same, mean over (image, class) pairs that have predictions; optimistic
                                    (``pair_abo``)
    ``mAP_25``, ``mAP_50`` ...      AP^r: average precision of masks with an IoU above the threshold; mean over the
                                    classes that occur
    ``ABO_<class>`` ...             ABO and ``AP_50_<class>`` of each class that occurs (``classwise``)
    ==============================  ============================================================================

    Cholakkal et al., "Object Counting and Instance Segmentation with Image-level Supervision", table 5; AP^r is that of
    Hariharan et al., "Simultaneous Detection and Segmentation". Works on any sample with ``gt_instances`` and
    ``pred_instances`` that hold ``labels`` and ``masks`` (and ``scores`` of predictions), so on any instance
    segmentor of mmdet too. Masks are bitmaps or polygons of mmdet, (N, H, W) tensors or arrays, or lists of COCO's
    run-length encodings, all in pixels of the original image. Only overlaps are kept, no masks.

    ``ignored_instances`` ("difficult" objects of VOC, crowds of COCO) need not be found: they are not in the means,
    and a prediction of one is neither right nor wrong.

    Args:
        iou_thrs: Thresholds of AP^r; the IoU has to be higher.
        score_thr: Lowest score of a prediction that is taken; every one by default, since average precision ranks
            them all. Detectors that always give many predictions get a higher ABO by them.
        matching: What a prediction takes: 'free', the best instance that is not taken yet; or 'best', the best
            of all as in the development kit of VOC, which makes it wrong if the instance is taken.
        ap_mode: 'area' or '11points'.
        crowd: Compare predictions with ignored instances by the share of the predicted mask inside of them, as COCO
            does with crowds, instead of by IoU.
        void: What pixels without a label are: 'background', or 'ignore' to remove them from all masks. They come from
            ``gt_void_mask``, (H, W) bool, or else are the 255 (or the ``ignore_index``) of ``gt_sem_seg``.
        pair_abo: Report ``ABO_pairs``.
        classwise: Report every class.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> mask = np.zeros((1, 4, 4), dtype=bool)
        >>> mask[:, 1:3] = True
        >>> metric = MaskOverlapMetric(iou_thrs=(0.5,))
        >>> metric.process({}, [{'img_id': 'a', 'gt_instances': {'labels': [0], 'masks': mask},
        ...                      'pred_instances': {'labels': [0], 'masks': mask, 'scores': [0.9]}}])
        >>> metric.evaluate(size=1)
        {'segm/ABO': 1.0, 'segm/MABO': 1.0, 'segm/mAP_50': 1.0}
    """

    default_prefix = 'segm'

    def __init__(
        self,
        iou_thrs: Sequence[float] = (0.25, 0.5, 0.75),
        score_thr: float | None = None,
        matching: Matching = 'free',
        ap_mode: APMode = 'area',
        crowd: bool = False,
        void: Literal['background', 'ignore'] = 'background',
        pair_abo: bool = False,
        classwise: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not iou_thrs or not all(0 <= thr < 1 for thr in iou_thrs):
            raise ValueError(f'iou_thrs must be at least one number in [0, 1), got {tuple(iou_thrs)}')
        choices: tuple[tuple[str, str, tuple[str, ...]], ...] = (
            ('matching', matching, MATCHINGS),
            ('ap_mode', ap_mode, AP_MODES),
            ('void', void, ('background', 'ignore')),
        )
        for name, value, allowed in choices:
            if value not in allowed:
                raise ValueError(f'{name} must be one of {allowed}, got {value!r}')
        self.iou_thrs = tuple(iou_thrs)
        self.score_thr = score_thr
        self.matching: Matching = matching
        self.ap_mode: APMode = ap_mode
        self.crowd = crowd
        self.void = void
        self.pair_abo = pair_abo
        self.classwise = classwise

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the overlaps of an image, and what each prediction takes."""
        for name in ('gt_instances', 'pred_instances'):
            if sample.get(name) is None:
                raise ValueError(f'no {name!r}; found {sorted(sample)}')
        shape = sample.get('ori_shape')
        img_shape = None if shape is None else (int(shape[0]), int(shape[1]))
        pred_labels, scores, pred = self._predictions(sample['pred_instances'], img_shape)
        true_labels, true = self._masks('gt_instances', sample['gt_instances'], img_shape)
        num_true = len(true)
        if sample.get('ignored_instances') is not None:
            more_labels, more = self._masks('ignored_instances', sample['ignored_instances'], img_shape)
            true_labels, true = np.concatenate([true_labels, more_labels]), [*true, *more]
        if self.void == 'ignore':
            void = _void_pixels(sample)
            pred, true = remove_pixels(pred, void), remove_pixels(true, void)
        ignored = np.arange(len(true)) >= num_true
        ious = mask_ious(pred, true, ignored if self.crowd else None)
        ious[pred_labels[:, None] != true_labels] = 0.0
        outcomes = np.zeros((len(self.iou_thrs), len(pred)), dtype=np.int8)
        for label in np.unique(pred_labels):
            rows, columns = np.flatnonzero(pred_labels == label), np.flatnonzero(true_labels == label)
            for row, thr in zip(outcomes, self.iou_thrs, strict=True):
                row[rows] = match_masks(ious[np.ix_(rows, columns)], scores[rows], thr, ignored[columns], self.matching)
        return {
            'pred_labels': pred_labels,
            'scores': scores,
            'outcomes': outcomes,
            'true_labels': true_labels[:num_true],
            'best': ious[:, :num_true].max(axis=0, initial=0.0),
        }

    def _predictions(
        self, instances: Any, img_shape: tuple[int, int] | None
    ) -> tuple[NDArray[np.int64], FloatArray, Rles]:
        fields = to_dict(instances)
        # Some detectors score a mask apart from its box.
        scores = fields.get('mask_scores', fields.get('scores'))
        labels = instance_labels(fields)
        if scores is None:
            if len(labels):
                raise ValueError("pred_instances: no 'scores'")
            scores = []
        score_array = to_numpy(scores).reshape(-1)
        if len(score_array) != len(labels):
            raise ValueError(f'pred_instances: {len(labels)} labels, but {len(score_array)} scores')
        if np.isnan(score_array).any():
            raise ValueError(f'pred_instances: score {int(np.isnan(score_array).argmax())} is not a number')
        keep = np.arange(len(labels)) if self.score_thr is None else np.flatnonzero(score_array >= self.score_thr)
        labels, rles = self._masks('pred_instances', fields, img_shape, keep)
        return labels, score_array[keep], rles

    def _masks(
        self, name: str, instances: Any, img_shape: tuple[int, int] | None, keep: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], Rles]:
        """Labels and encoded masks of instances, or of those in ``keep``."""
        fields = to_dict(instances)
        labels, masks = instance_labels(fields), fields.get('masks')
        num_classes = None if self.classes is None else len(self.classes)
        if labels.size and (labels.min() < 0 or (num_classes is not None and labels.max() >= num_classes)):
            highest = '' if num_classes is None else num_classes - 1
            raise ValueError(f'{name}: labels must be in 0..{highest}, got {labels.min()}..{labels.max()}')
        if not len(labels):
            return labels, []
        if masks is None:
            raise ValueError(f"{name}: no 'masks'; found {sorted(fields)}")
        if len(masks) != len(labels):
            raise ValueError(f'{name}: {len(labels)} labels, but {len(masks)} masks')
        if keep is not None:
            labels = labels[keep]
            masks = [masks[index] for index in keep] if isinstance(masks, (list, tuple)) else masks[keep]
        try:
            return labels, encode_masks(_plain(masks), img_shape)
        except ValueError as error:
            raise ValueError(
                f'{name}: {error}. Masks are compared in pixels of the original image: load the annotations after '
                'the image was resized'
            ) from error

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the means of the overlaps, and the average precisions."""
        labels = np.concatenate([one['true_labels'] for one in records])
        best = np.concatenate([one['best'] for one in records])
        images = [one['img_id'] for one in records for _ in one['best']]
        answered = np.concatenate([np.isin(one['true_labels'], one['pred_labels']) for one in records])
        metrics = average_best_overlap(best, labels, images, answered)
        if not self.pair_abo:
            del metrics['ABO_pairs']
        pred_labels = np.concatenate([one['pred_labels'] for one in records])
        scores = np.concatenate([one['scores'] for one in records])
        outcomes = np.concatenate([one['outcomes'] for one in records], axis=1)
        present = [int(label) for label in np.unique(labels)]
        names = [str(label) if self.classes is None else self.classes[label] for label in present]
        for thr, row in zip(self.iou_thrs, outcomes, strict=True):
            precisions = [
                average_precision(
                    row[pred_labels == label], scores[pred_labels == label], int((labels == label).sum()), self.ap_mode
                )
                for label in present
            ]
            metrics[f'mAP_{100 * thr:g}'] = float(np.mean(precisions)) if precisions else math.nan
            if self.classwise:
                metrics.update({f'AP_{100 * thr:g}_{name}': one for name, one in zip(names, precisions, strict=True)})
        if self.classwise:
            for name, label in zip(names, present, strict=True):
                metrics[f'ABO_{name}'] = float(best[labels == label].mean())
        return metrics


def _plain(masks: Any) -> Any:
    """Masks as an array, or as the list of encodings that they are."""
    if isinstance(masks, BaseInstanceMasks):
        return masks.to_ndarray()
    return masks.detach().cpu().numpy() if isinstance(masks, torch.Tensor) else masks


def _void_pixels(fields: Mapping[str, Any]) -> NDArray[np.bool_]:
    void = fields.get('gt_void_mask')
    if void is not None:
        return np.asarray(_plain(void)).astype(bool)
    if fields.get('gt_sem_seg') is None:
        raise ValueError("void='ignore' needs 'gt_void_mask' or 'gt_sem_seg' to know the void pixels")
    segments = to_dict(fields['gt_sem_seg'])
    labels = np.asarray(_plain(segments['data']))
    return labels.reshape(labels.shape[-2:]) == segments.get('ignore_index', 255)
