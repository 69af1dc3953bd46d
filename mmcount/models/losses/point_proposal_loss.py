"""Losses of point proposals: every object takes the one proposal that explains it best, all others are background."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def _alone(total: Tensor) -> Tensor:
    return total


@torch.no_grad()
def match_proposals(
    points: Tensor, scores: Tensor, gt_points: Tensor, gt_labels: Tensor, distance_weight: float = 0.05
) -> tuple[Tensor, Tensor]:
    """Assign one proposal to each object, so that the sum of the costs is the smallest of all one-to-one assignments.

    Proposal j costs object i ``distance_weight * |p_j - g_i| - score_j``, the score that of the object's class (Song et
    al., ICCV 2021, eq. 3). With more objects than proposals, the objects that cost most have none.

    Args:
        points: Proposals, px.
        scores: Probability of each class, without the background.
        gt_points: Objects, px.
        gt_labels: Their classes.
        distance_weight: tau, score per px.

    Shape:
        points: (M, 2). scores: (M, C). gt_points: (N, 2). gt_labels: (N,) int64.

    Returns:
        Indices of proposals, ascending, and of the objects that take them; (min(M, N),) int64 each.

    Raises:
        ValueError: A proposal or a score is not finite.

    Example:
        >>> proposals = torch.tensor([[0.0, 0.0], [9.0, 0.0]])
        >>> objects, labels = torch.tensor([[8.0, 0.0]]), torch.tensor([0])
        >>> match_proposals(proposals, torch.tensor([[0.5], [0.5]]), objects, labels)
        (tensor([1]), tensor([0]))
    """
    if not (torch.isfinite(points).all() and torch.isfinite(scores).all()):
        raise ValueError(
            'a point proposal or its score is not finite: the training diverged (lower the learning rate or clip '
            'gradients), or an input or a weight is not finite'
        )
    distances = (points[:, None] - gt_points[None]).square().sum(dim=2).sqrt()
    cost = distance_weight * distances - scores[:, gt_labels]
    proposals, objects = linear_sum_assignment(cost.cpu().numpy())
    return (
        torch.as_tensor(proposals, dtype=torch.int64, device=points.device),
        torch.as_tensor(objects, dtype=torch.int64, device=points.device),
    )


def point_proposal_losses(
    points: Sequence[Tensor],
    logits: Sequence[Tensor],
    gt_points: Sequence[Tensor],
    gt_labels: Sequence[Tensor],
    distance_weight: float = 0.05,
    background_weight: float = 0.5,
    reduce: Callable[[Tensor], Tensor] = _alone,
) -> dict[str, Tensor]:
    """The losses of P2PNet (Song et al., "Rethinking Counting and Localization in Crowds", ICCV 2021, eq. 4 and 5).

    ======== ==========================================================================================================
    key      term
    ======== ==========================================================================================================
    ``cls``  cross-entropy of all proposals of the batch, those without an object weighted ``background_weight``,
             divided by the sum of the weights, as in the released code (the paper divides by the number of proposals)
    ``loc``  sum of the squared distances of the matched pairs, px^2, divided by the number of objects in the batch
    ======== ==========================================================================================================

    Images without objects are background. Weights of the terms are the caller's.

    Args:
        points: Proposals of each image, px.
        logits: Theirs; the first is the background, class c is at c + 1.
        gt_points: Objects of each image, px.
        gt_labels: Their classes.
        distance_weight: See :func:`match_proposals`.
        background_weight: Weight of a proposal without an object.
        reduce: Mean over processes of the number of objects.

    Shape:
        points: (M_b, 2). logits: (M_b, C + 1). gt_points: (N_b, 2). gt_labels: (N_b,) int64; one each for image b.

    Returns:
        Scalars.

    Raises:
        ValueError: See :func:`match_proposals`.
    """
    targets, distances, number = [], [], 0
    for mine, logit, truth, labels in zip(points, logits, gt_points, gt_labels, strict=True):
        proposals, objects = match_proposals(mine, logit.softmax(dim=1)[:, 1:], truth, labels, distance_weight)
        target = labels.new_zeros(len(mine))
        target[proposals] = labels[objects] + 1
        targets.append(target)
        distances.append((mine[proposals] - truth[objects]).square().sum())
        number += len(truth)
    weight = logits[0].new_ones(logits[0].shape[1])
    weight[0] = background_weight
    # Objects without a proposal count in the divisor too.
    divisor = reduce(weight.new_tensor(float(number))).clamp(min=1)
    return dict(
        cls=F.cross_entropy(torch.cat(list(logits)), torch.cat(targets), weight),
        loc=torch.stack(distances).sum() / divisor,
    )
