"""Losses that learn density from nothing but image-level counts up to a small limit."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Reduction = Literal['batch', 'image']
REDUCTIONS = ('batch', 'image')


def _alone(total: Tensor) -> Tensor:
    return total


def _mean(values: Tensor, chosen: Tensor, reduction: Reduction, reduce: Callable[[Tensor], Tensor] = _alone) -> Tensor:
    """Mean of the chosen values: of the whole batch, or of each image and then over all images.

    No choice has a mean of zero, with a gradient of zero. Nothing here waits for the device.
    """
    dims = tuple(range(1, values.dim())) if reduction == 'image' else tuple(range(values.dim()))
    total = torch.where(chosen, values, torch.zeros((), dtype=values.dtype, device=values.device)).sum(dims)
    number = chosen.sum(dims).to(values.dtype)
    if reduction == 'batch':
        number = reduce(number)
    return (total / torch.where(number > 0, number, torch.ones_like(number))).mean()


def sample_negatives(
    counts: Tensor,
    rare_below: float = 0.3,
    keep_prob: float = 0.1,
    reduce: Callable[[Tensor], Tensor] = _alone,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Choose the (image, class) pairs without objects that take part in the losses.

    With many classes nearly all pairs are empty and would drown the others. A class that fewer than ``rare_below`` of
    the batch's images hold keeps an empty pair with ``keep_prob``; other classes keep all of theirs. Cholakkal et al.,
    CVPR 2019, section 3.2 mentions the 10 %, their released code restricts it to rare classes.

    Args:
        counts: True objects.
        rare_below: Share of the images of the batch.
        keep_prob: Chance to keep an empty pair of a rare class.
        reduce: Mean over processes, so that a share is that of the whole batch.
        generator: Source of the draws.

    Shape:
        counts: (N, C) -> (N, C) bool; never true where there are objects.

    Example:
        >>> sample_negatives(torch.tensor([[0, 2], [0, 0]]), keep_prob=0.0).tolist()
        [[False, False], [False, True]]
    """
    positive = counts > 0
    rare = reduce(positive.float().mean(dim=0)) < rare_below
    draw = torch.rand(counts.shape, generator=generator, device=counts.device)
    return ~positive & (~rare | (draw < keep_prob))


def lower_count_losses(
    class_scores: Tensor,
    density_logits: Tensor,
    pseudo_gt: Tensor,
    counts: Tensor,
    limit: int = 4,
    stage: int = 2,
    reduction: Reduction = 'batch',
    negatives: Tensor | None = None,
    reduce: Callable[[Tensor], Tensor] = _alone,
) -> dict[str, Tensor]:
    """The terms of Cholakkal et al., "Object Counting and Instance Segmentation with Image-level Supervision".

    With S the pairs of image and class that hold 1 to ``limit`` objects, A those that hold none, R those above, and
    the predicted count the mean of the density logits Y over the map:

    ================== ==================================================================== ==================
    key                term                                                                 paper
    ================== ==================================================================== ==================
    ``cls``            multi-label soft margin of the class scores, R counting as present   section 3.1
    ``spatial_pos``    softplus(-Y) at the cells of the pseudo ground truth of S            eq. 4, stage 2
    ``spatial_neg``    softplus(Y) at all cells of A                                        eq. 5, stage 2
    ``count``          squared error of the count, of S in stage 1 and of S and A after it  eq. 6
    ``rank``           max(0, limit + 1 - count) of R                                       eq. 7
    ================== ==================================================================== ==================

    Weights are the caller's. A term without any pair or cell is zero.

    Args:
        class_scores: Class scores s.
        density_logits: Y; objects per cell are ``Y / (H * W)``.
        pseudo_gt: Cells of the pseudo ground truth; read where a pair is in S.
        counts: True objects; all above ``limit`` means the same.
        limit: Largest count that the annotator gives exactly.
        stage: 1 (class, count, rank) or 2 (all).
        reduction: 'batch' pools what a mean is taken over in the whole mini-batch, as in the released code; 'image'
            takes each mean within an image and then averages over all images, as the paper writes.
        negatives: The pairs of A that take part; all of them when not given. Class scores always use all.
        reduce: Mean over processes of a number of terms, for 'batch' with several processes.

    Shape:
        class_scores, counts, negatives (bool): (N, C). density_logits, pseudo_gt (bool): (N, C, H, W).

    Returns:
        Scalars, those of the stage only.

    Raises:
        ValueError: Shapes do not fit, ``limit`` is below 1, or ``stage`` or ``reduction`` is unknown.
    """
    _check(class_scores, density_logits, pseudo_gt, counts, limit, stage, reduction)
    counts = counts.to(density_logits.dtype)
    present, above = counts > 0, counts > limit
    exact = present & ~above
    empty = ~present if negatives is None else negatives & ~present
    predicted = density_logits.mean(dim=(2, 3))
    losses = {'cls': F.binary_cross_entropy_with_logits(class_scores, present.to(class_scores.dtype))}
    if stage == 2:
        losses['spatial_pos'] = _positive_cells(density_logits, pseudo_gt, exact, reduction, reduce)
        cells = empty[:, :, None, None].expand_as(density_logits)
        losses['spatial_neg'] = _mean(F.softplus(density_logits), cells, reduction, reduce)
    counted = exact | empty if stage == 2 else exact
    losses['count'] = _mean((predicted - counts).square(), counted, reduction, reduce)
    losses['rank'] = _mean((limit + 1 - predicted).clamp(min=0), above, reduction, reduce)
    return losses


def _positive_cells(
    logits: Tensor, pseudo_gt: Tensor, exact: Tensor, reduction: Reduction, reduce: Callable[[Tensor], Tensor]
) -> Tensor:
    chosen = pseudo_gt & exact[:, :, None, None]
    values = F.softplus(-logits)
    if reduction == 'batch':
        return _mean(values, chosen, reduction, reduce)
    number = chosen.sum(dim=(2, 3))
    of_pair = (values * chosen).sum(dim=(2, 3)) / number.clamp(min=1)
    return _mean(of_pair, number > 0, reduction)


def _check(
    scores: Tensor, logits: Tensor, pseudo_gt: Tensor, counts: Tensor, limit: int, stage: int, reduction: str
) -> None:
    if logits.dim() != 4 or pseudo_gt.shape != logits.shape:
        raise ValueError(
            f'density_logits and pseudo_gt must be (N, C, H, W), got {tuple(logits.shape)} and {tuple(pseudo_gt.shape)}'
        )
    if scores.shape != logits.shape[:2] or counts.shape != logits.shape[:2]:
        raise ValueError(
            f'class_scores and counts must be {tuple(logits.shape[:2])}, got {tuple(scores.shape)} and '
            f'{tuple(counts.shape)}'
        )
    if limit < 1:
        raise ValueError(f'limit must be at least 1, got {limit}')
    if stage not in (1, 2):
        raise ValueError(f'stage must be 1 or 2, got {stage!r}')
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be one of {REDUCTIONS}, got {reduction!r}')
