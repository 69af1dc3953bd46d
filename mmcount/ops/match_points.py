"""One-to-one matching of predicted points with ground-truth points."""

import math
from typing import Literal

import torch
from torch import Tensor

from .reference.matching import match_points as _reference
from .schema import register_op


def _fake(pred: Tensor, gt: Tensor, radius: Tensor, min_cost: bool) -> Tensor:
    return pred.new_empty((torch.library.get_ctx().new_dynamic_size(), 2), dtype=torch.int64)


register_op(
    'match_points(Tensor pred, Tensor gt, Tensor radius, bool min_cost) -> Tensor', reference=_reference, fake=_fake
)


def _as_points(name: str, points: Tensor) -> Tensor:
    if points.dim() != 2 or points.shape[1] != 2:
        raise ValueError(f'{name} must have shape (N, 2), got {tuple(points.shape)}')
    if points.is_complex():
        raise TypeError(f'{name} must be real, got {points.dtype}')
    wide = points.detach().to('cpu', torch.float64)
    # A finite sum proves all finite in one pass; only a suspect one is looked at point by point.
    if not math.isfinite(wide.sum().item()) and not (finite := torch.isfinite(wide).all(dim=1)).all():
        row = int((~finite).nonzero()[0])
        raise ValueError(f'{name} must be finite, got {wide[row].tolist()} at index {row}')
    return wide


def _as_radius(radius: float | Tensor, count: int) -> Tensor:
    wide = torch.as_tensor(radius, dtype=torch.float64, device='cpu').detach()
    if wide.dim() == 0:
        wide = wide.expand(count)
    if wide.shape != (count,):
        raise ValueError(f'radius must be one number or {count}, one per ground truth, got shape {tuple(wide.shape)}')
    if count and not (math.isfinite(wide.sum().item()) and wide.min().item() >= 0):
        valid = torch.isfinite(wide) & (wide >= 0)
        if valid.all():
            return wide
        index = int((~valid).nonzero()[0])
        raise ValueError(f'radius must be finite and not negative, got {wide[index].item()} at index {index}')
    return wide


def match_points(
    pred: Tensor, gt: Tensor, radius: float | Tensor, rule: Literal['cardinality', 'cost'] = 'cardinality'
) -> Tensor:
    """Match predictions and ground truths one to one, each within the ground truth's own radius.

    A pair may match if its Euclidean distance in float64 is at most the radius (inclusive). Both rules reach the
    largest possible number of pairs. They take memory for the pairs within reach only, never for all pairs.

    ``'cardinality'`` follows the NWPU-Crowd protocol to the order of its searches: predictions as given, ground truths
    ascending, depth first. The number of pairs does not depend on that order, but the set of matched ground truths, and
    with it recall per size level, does. A pair need not be the nearest one: read no localisation error from it.
    ``'cost'`` has the least total distance.

    Args:
        pred: Predicted points ``(x, y)``, in the unit of ``gt``.
        gt: Ground-truth points ``(x, y)``.
        radius: One for all, or one per ground truth, in the same unit.
        rule: Which of the largest matchings to take.

    Returns:
        Pairs ``(index in pred, index in gt)``, ordered by the first, on the device of ``pred``. True positives are
        its rows; the rest of ``pred`` are false positives, the rest of ``gt`` false negatives.

    Shape:
        pred: (N, 2), gt: (M, 2), radius: () or (M,) -> (K, 2) int64, K <= min(N, M).

    Raises:
        ValueError: A shape or ``rule`` is not as described, a coordinate is not finite, or a radius is negative or not
            finite.
        TypeError: Points are complex.

    Example:
        >>> pred = torch.tensor([[0.0, 0.0], [9.0, 9.0], [1.0, 0.0]])
        >>> gt = torch.tensor([[0.5, 0.0], [4.0, 0.0]])
        >>> match_points(pred, gt, radius=torch.tensor([1.0, 3.0])).tolist()
        [[0, 0], [2, 1]]
    """
    if rule not in ('cardinality', 'cost'):
        raise ValueError(f"rule must be 'cardinality' or 'cost', got {rule!r}")
    pairs = torch.ops.mmcount.match_points(
        _as_points('pred', pred), _as_points('gt', gt), _as_radius(radius, len(gt)), rule == 'cost'
    )
    return pairs.to(pred.device)
