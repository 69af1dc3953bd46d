"""Average precision of boxes with counts, for a grid of IoU and count thresholds and several subsets at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from .reference.box_grid import average_precision_grid as _reference
from .schema import register_op

MAX_CELLS = 128
_DOUBLE = ('pred_boxes', 'pred_scores', 'pred_counts', 'gt_boxes', 'gt_counts', 'iou_thrs', 'count_thrs', 'recall_thrs')


class PrecisionGrid(NamedTuple):
    """Average precisions of K classes, A subsets and T x C thresholds.

    Attributes:
        ap: (K, A, T, C) float64; NaN where a class has no ground truth in a subset.
        recall: (K, A, T, C) float64, of all detections.
        matches: (P,) int64, the ground truth that each detection takes in the first cell of the first subset, or -1.
    """

    ap: Tensor
    recall: Tensor
    matches: Tensor


def _fake(
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
    shape = (num_classes, pred_outside.shape[0], iou_thrs.shape[0], count_thrs.shape[0])
    return (
        pred_boxes.new_empty(shape),
        pred_boxes.new_empty(shape),
        pred_boxes.new_empty(pred_boxes.shape[:1], dtype=torch.int64),
    )


register_op(
    'average_precision_grid(Tensor pred_boxes, Tensor pred_scores, Tensor pred_counts, Tensor pred_outside, '
    'Tensor gt_boxes, Tensor gt_counts, Tensor gt_crowd, Tensor gt_outside, Tensor groups, Tensor iou_thrs, '
    'Tensor count_thrs, Tensor recall_thrs, int num_classes) -> (Tensor, Tensor, Tensor)',
    reference=_reference,
    fake=_fake,
)


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
) -> PrecisionGrid:
    """COCO's average precision with a second threshold on the accuracy of counts.

    A detection of count c may take a ground truth of count g in cell (t, c') if their IoU is at least t and
    ``max(0, 1 - |c - g| / g)`` at least c' (Cai et al., "Rethinking Object Detection in Retail Stores", AAAI 2021). In
    every cell, detections of one class in one image choose in their order, each the free ground truth of highest IoU;
    of equal ones that of the better count, then the later row. What is outside of a subset is tried last; a detection
    that takes it, or takes nothing and is outside itself, is not judged. A crowd may be taken again and again, with
    any count, by the share of the detection inside of it.

    Args:
        pred_boxes: ``(x, y, width, height)``.
        pred_scores: Of the detections; falling within each group.
        pred_counts: Objects in each detection.
        pred_outside: Detections outside of each subset.
        gt_boxes: ``(x, y, width, height)``.
        gt_counts: Objects in each ground truth, above 0.
        gt_crowd: Ground truth that is a crowd.
        gt_outside: Ground truth outside of each subset, all crowds included.
        groups: ``(class, first detection, end, first ground truth, end)`` of each class in each image, ascending by
            class and by detections, of which none is in two. Among equal scores of a class earlier groups go first.
        iou_thrs: Rising.
        count_thrs: Rising.
        recall_thrs: Recalls at which precision is read, rising.
        num_classes: K.

    Shape:
        pred_boxes: (P, 4), pred_scores, pred_counts: (P,), pred_outside: (A, P) bool, gt_boxes: (N, 4),
        gt_counts: (N,), gt_crowd: (N,) bool, gt_outside: (A, N) bool, groups: (G, 5) int64, iou_thrs: (T,),
        count_thrs: (C,), recall_thrs: (R,).

    Raises:
        ValueError: A shape does not fit, there is no threshold, or more than 128 pairs of them, thresholds do not
            rise, a group is out of order or range, a score or count is not finite, or a true count not above 0.

    Example:
        Two of four objects counted: the accuracy is 0.5.

        >>> box, one, inside = torch.tensor([[0.0, 0, 9, 9]]), torch.ones(1), torch.zeros(1, 1, dtype=torch.bool)
        >>> grid = average_precision_grid(
        ...     box, one, 2 * one, inside, box, 4 * one, inside[0], inside, torch.tensor([[0, 0, 1, 0, 1]]),
        ...     torch.tensor([0.5, 0.75]), torch.tensor([0.5, 0.75]), torch.tensor([0.5, 1.0]), num_classes=1)
        >>> grid.ap[0, 0].round().tolist(), grid.matches.tolist()
        ([[1.0, 0.0], [1.0, 0.0]], [0])
    """
    given: dict[str, Tensor] = {
        'pred_boxes': pred_boxes,
        'pred_scores': pred_scores,
        'pred_counts': pred_counts,
        'pred_outside': pred_outside,
        'gt_boxes': gt_boxes,
        'gt_counts': gt_counts,
        'gt_crowd': gt_crowd,
        'gt_outside': gt_outside,
        'groups': groups,
        'iou_thrs': iou_thrs,
        'count_thrs': count_thrs,
        'recall_thrs': recall_thrs,
    }
    num_pred, num_gt, subsets = len(pred_boxes), len(gt_boxes), len(pred_outside)
    shapes: dict[str, tuple[int, ...]] = {
        'pred_boxes': (num_pred, 4),
        'pred_scores': (num_pred,),
        'pred_counts': (num_pred,),
        'pred_outside': (subsets, num_pred),
        'gt_boxes': (num_gt, 4),
        'gt_counts': (num_gt,),
        'gt_crowd': (num_gt,),
        'gt_outside': (subsets, num_gt),
        'groups': (len(groups), 5),
        **{name: (len(given[name]),) for name in ('iou_thrs', 'count_thrs', 'recall_thrs')},
    }
    for name, shape in shapes.items():
        if tuple(given[name].shape) != shape:
            raise ValueError(f'{name} must have shape {shape}, got {tuple(given[name].shape)}')
    cells = len(iou_thrs) * len(count_thrs)
    if not 0 < cells <= MAX_CELLS or not len(recall_thrs):
        raise ValueError(
            f'there must be 1..{MAX_CELLS} pairs of thresholds and at least one recall, got {len(iou_thrs)} IoU, '
            f'{len(count_thrs)} count and {len(recall_thrs)} recall thresholds'
        )
    for name in _DOUBLE:
        given[name] = given[name].detach().to(torch.float64)
    _check_values(given)
    _check_groups(groups, num_pred, num_gt, num_classes)
    return PrecisionGrid(*torch.ops.mmcount.average_precision_grid(*given.values(), num_classes))


def _check_values(given: dict[str, Tensor]) -> None:
    for name in ('iou_thrs', 'count_thrs', 'recall_thrs'):
        values = given[name]
        if not values.isfinite().all() or not (values.diff() > 0).all():
            raise ValueError(f'{name} must be finite and rise, got {values.tolist()}')
    # Not a number would be sorted and compared differently by every implementation.
    for name in ('pred_scores', 'pred_counts', 'gt_counts'):
        values = given[name]
        good = values.isfinite() if name != 'gt_counts' else values.isfinite() & (values > 0)
        if not good.all():
            row = int(good.logical_not().nonzero()[0])
            wanted = 'finite' if name != 'gt_counts' else 'finite and above 0'
            raise ValueError(f'{name} must be {wanted}, got {values[row].item()} at index {row}')


def _check_groups(groups: Tensor, num_pred: int, num_gt: int, num_classes: int) -> None:
    if num_classes < 0:
        raise ValueError(f'num_classes must not be negative, got {num_classes}')
    labels, begins, ends, firsts, lasts = groups.unbind(dim=1)
    good = (labels >= 0) & (labels < num_classes) & (begins >= 0) & (begins <= ends) & (ends <= num_pred)
    good &= (firsts >= 0) & (firsts <= lasts) & (lasts <= num_gt)
    good[1:] &= (labels[:-1] <= labels[1:]) & (ends[:-1] <= begins[1:])
    if not good.all():
        row = int(good.logical_not().nonzero()[0])
        raise ValueError(
            f'group {row} is out of order or range: {groups[row].tolist()}, with {num_pred} detections, {num_gt} '
            f'ground truth and {num_classes} classes'
        )
