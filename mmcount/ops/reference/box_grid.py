"""Detections against ground truth for a grid of thresholds, in NumPy: one detection after another."""

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
# Counts are whole numbers below 1e6, so that accuracies differ from a threshold by far more, or not at all.
ACCURACY_SLACK = 1e-9


def box_ious(pred: Array, gt: Array, crowd: Array) -> Array:
    """IoU of every detection with every ground truth; the share of the detection inside of a crowd.

    Shape:
        pred: (P, 4) and gt: (N, 4) ``(x, y, width, height)``. crowd: (N,) bool -> (P, N).
    """
    one, other = pred[:, None], gt[None]
    corner = np.maximum(one[..., :2], other[..., :2])
    sides = np.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:]) - corner
    shared = np.where((sides > 0).all(axis=-1), sides[..., 0] * sides[..., 1], 0.0)
    area, gt_area = one[..., 2] * one[..., 3], other[..., 2] * other[..., 3]
    union = np.where(crowd, area, area + gt_area - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)


def count_accuracies(pred: Array, gt: Array, crowd: Array) -> Array:
    """``max(0, 1 - |pred - gt| / gt)`` of every pair; 1 in crowds, which nobody counted.

    Shape:
        pred: (P,), gt: (N,), crowd: (N,) bool -> (P, N).
    """
    errors = np.where(crowd, 0.0, np.abs(pred[:, None] - gt) / gt)
    return np.maximum(0.0, 1 - errors)


def match_group(
    ious: Array, accuracies: Array, crowd: Array, outside: Array, iou_thrs: Array, count_thrs: Array
) -> Array:
    """The truth that each detection of one class in one image takes, in every cell of the grid.

    Detections choose in their order, each the free ground truth of highest IoU among those that reach both thresholds;
    of equal ones that of the better count, then the later. Ground truth outside of the subset comes last, and a crowd
    is always free.

    Shape:
        ious, accuracies: (P, N). crowd, outside: (N,) bool. iou_thrs: (T,), count_thrs: (C,) -> (P, T, C) index of the
        ground truth, or -1.
    """
    choices = np.full((len(ious), len(iou_thrs), len(count_thrs)), -1)
    taken = np.zeros((*choices.shape[1:], len(crowd)), dtype=bool)
    for row, chosen in enumerate(choices):
        if not (ious[row] >= iou_thrs[0]).any():
            continue
        close = ious[row] >= iou_thrs[:, None, None]
        fits = close & (accuracies[row] + ACCURACY_SLACK >= count_thrs[:, None]) & ~(taken & ~crowd)
        for is_outside in (False, True):
            for gt in np.lexsort((-np.arange(len(crowd)), -accuracies[row], -ious[row])):
                if outside[gt] == is_outside:
                    hit = fits[..., gt] & (chosen < 0)
                    chosen[hit] = gt
                    taken[..., gt] |= hit
    return choices


def curves(right: Array, ignored: Array, num_gt: int, recall_thrs: Array) -> tuple[Array, Array]:
    """Average precision and final recall, in every cell of the grid.

    Shape:
        right, ignored: (P, T, C) bool, detections by falling score. recall_thrs: (R,) -> (T, C) each.
    """
    if not len(right):
        return np.zeros(right.shape[1:]), np.zeros(right.shape[1:])
    true = np.cumsum(right, axis=0, dtype=np.float64)
    false = np.cumsum(~right & ~ignored, axis=0, dtype=np.float64)
    precision = true / (false + true + np.spacing(1))
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    recall = true / num_gt
    ap = np.zeros(right.shape[1:])
    for i, c in np.ndindex(*ap.shape):
        at = np.searchsorted(recall[:, i, c], recall_thrs, side='left')
        ap[i, c] = np.append(precision[:, i, c], 0.0)[at].mean()
    return ap, recall[-1]


def average_precision_grid(
    pred_boxes: Tensor,
    pred_scores: Tensor,
    pred_counts: Tensor,
    pred_outside: Tensor,
    gt_boxes: Tensor,
    gt_counts: Tensor,
    gt_crowd: Tensor,
    gt_outside: Tensor,
    groups: Tensor,
    iou_thrs: Tensor,
    count_thrs: Tensor,
    recall_thrs: Tensor,
    num_classes: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Reference of ``torch.ops.mmcount.average_precision_grid``; see :func:`mmcount.ops.average_precision_grid`."""
    tensors = (pred_boxes, pred_scores, pred_counts, pred_outside, gt_boxes, gt_counts, gt_crowd, gt_outside)
    boxes, scores, counts, outside, true_boxes, true_counts, crowd, true_outside = (x.cpu().numpy() for x in tensors)
    rows, ious_at, counts_at, recalls_at = (x.cpu().numpy() for x in (groups, iou_thrs, count_thrs, recall_thrs))
    cells = (len(ious_at), len(counts_at))
    ap = np.full((num_classes, len(outside), *cells), np.nan)
    recall = np.full_like(ap, np.nan)
    matches = np.full(len(boxes), -1)
    for label in np.unique(rows[:, 0]):
        mine = rows[rows[:, 0] == label]
        order = np.argsort(-np.concatenate([scores[begin:end] for _, begin, end, _, _ in mine]), kind='stable')
        pairs = []
        for _, begin, end, first, last in mine:
            flags = crowd[first:last]
            ious = box_ious(boxes[begin:end], true_boxes[first:last], flags)
            pairs.append((ious, count_accuracies(counts[begin:end], true_counts[first:last], flags)))
        for subset in range(len(outside)):
            num_gt = sum(int((~true_outside[subset, first:last]).sum()) for *_, first, last in mine)
            if not num_gt:
                continue
            right, ignored = [], []
            for (_, begin, end, first, last), (ious, accuracies) in zip(mine, pairs, strict=True):
                beyond = true_outside[subset, first:last]
                choices = match_group(ious, accuracies, crowd[first:last], beyond, ious_at, counts_at)
                ignores = np.append(beyond, False)[choices] & (choices >= 0)
                right.append((choices >= 0) & ~ignores)
                ignored.append(ignores | ((choices < 0) & outside[subset, begin:end, None, None]))
                if subset == 0:
                    taken = right[-1][:, 0, 0]
                    matches[begin:end][taken] = choices[taken, 0, 0] + first
            ap[label, subset], recall[label, subset] = curves(
                np.concatenate(right)[order], np.concatenate(ignored)[order], num_gt, recalls_at
            )
    device = pred_boxes.device
    return torch.from_numpy(ap).to(device), torch.from_numpy(recall).to(device), torch.from_numpy(matches).to(device)
