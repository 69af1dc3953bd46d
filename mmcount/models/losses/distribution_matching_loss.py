"""Losses that compare a density map with dots as two distributions: optimal transport and total variation."""

from typing import NamedTuple

import torch
from torch import Tensor


class Transport(NamedTuple):
    """A regularised optimal transport from N sources to L targets.

    Shape:
        alpha: (N,) potentials of the sources.
        beta: (L,) potentials of the targets; a constant may be added to all of them.
        plan: (N, L) mass that goes from each source to each target.
        iterations: Steps that were made.
    """

    alpha: Tensor
    beta: Tensor
    plan: Tensor
    iterations: int


@torch.no_grad()
def sinkhorn(
    cost: Tensor,
    source: Tensor,
    target: Tensor,
    reg: float = 10.0,
    max_iters: int = 100,
    tolerance: float = 1e-9,
    check_interval: int = 10,
    eps: float = 1e-16,
) -> Transport:
    """Scale the kernel ``exp(-cost / reg)`` until its sums are those of source and target (Cuturi, NeurIPS 2013).

    The kernel itself is scaled and not its logarithm. In float32 it is zero where a cost exceeds about ``100 * reg``:
    a target beyond the reach of every source has the saturated potential ``reg * log(b / eps)`` and the plan carries
    less than all mass. Published counters are trained with these gradients, those of a log-domain solver differ.

    Args:
        cost: Of each pair.
        source: a, what each source sends.
        target: b, what each target receives.
        reg: Weight of the entropy, in units of the cost.
        max_iters: Largest number of steps.
        tolerance: Stop if the squared errors of the received mass sum to no more.
        check_interval: Steps between two such checks.
        eps: Added to divisors and to what a logarithm is taken of.

    Shape:
        cost: (N, L). source: (N,). target: (L,).

    Example:
        >>> cost = torch.tensor([[0.0, 40.0], [40.0, 0.0]])
        >>> plan = sinkhorn(cost, torch.tensor([0.5, 0.5]), torch.tensor([0.3, 0.7])).plan
        >>> [round(value, 2) for value in plan.sum(dim=0).tolist()]
        [0.3, 0.7]
    """
    kernel = torch.exp(-cost / reg)
    u, v = torch.full_like(source, 1 / len(source)), torch.full_like(target, 1 / len(target))
    iterations = 0
    while iterations < max_iters:
        next_v = target / (u @ kernel + eps)
        next_u = source / (kernel @ next_v + eps)
        if not (torch.isfinite(next_u).all() & torch.isfinite(next_v).all()):
            break
        u, v = next_u, next_v
        iterations += 1
        if iterations % check_interval == 0 and (target - v * (u @ kernel)).square().sum() <= tolerance:
            break
    return Transport(reg * (u + eps).log(), reg * (v + eps).log(), u[:, None] * kernel * v, iterations)


def distribution_matching_losses(
    density: Tensor,
    points: Tensor,
    dots: Tensor,
    centres: Tensor,
    reg: float = 10.0,
    max_iters: int = 100,
    min_total: float = 0.1,
) -> dict[str, Tensor]:
    """The terms of DM-Count of one map (Wang et al., "Distribution Matching for Crowd Counting", NeurIPS 2020).

    With mu the density, S its sum, z the dots, N their number, and the costs the squared distances of points and cells:

    ============== ====================================================================================================
    key            term
    ============== ====================================================================================================
    ``count``      abs(S - N)
    ``ot``         inner product of mu and the gradient g of the transport cost (eq. 8). Its value is rounding noise
                   around zero, only its gradient g means something
    ``tv``         N * sum abs(mu / S - z / N), twice eq. 7 of the paper, as in the released code
    ``transport``  mean squared distance over which the plan carries the mass, px^2; to look at, without a gradient
    ============== ====================================================================================================

    Without points, ``ot`` and ``tv`` are zero. Weights are the caller's.

    Args:
        density: mu, objects per cell, not negative.
        points: Objects, px.
        dots: z, objects per cell.
        centres: Middle of each cell, px.
        reg: Weight of the entropy, px^2.
        max_iters: Largest number of steps of :func:`sinkhorn`.
        min_total: Smallest sum that a density is divided by. The released code has no bound: the gradient of ``tv`` of
            an empty map is there a million per object, which the state of an optimizer keeps for long.

    Shape:
        density, dots: (h, w). points: (N, 2). centres: (h * w, 2), row by row.

    Returns:
        Scalars.

    Raises:
        ValueError: ``dots`` has another shape than the density, or another sum than there are points.
    """
    if dots.shape != density.shape:
        raise ValueError(f'a density of {tuple(density.shape)} needs dots of this shape, got {tuple(dots.shape)}')
    number = len(points)
    if round(float(dots.sum())) != number:
        raise ValueError(
            f'the dot map holds {float(dots.sum()):g} objects and there are {number} points: no transform may move '
            'or drop objects after the dots were drawn'
        )
    total = density.sum()
    losses = dict(count=(total - number).abs())
    if not number:
        nothing = density.sum() * 0
        return dict(losses, ot=nothing, tv=nothing, transport=nothing.detach())
    share = density / (total + 1e-6).clamp(min=min_total)
    gradient, cost = _transport_gradient(density.detach().flatten(), points, centres, reg, max_iters)
    losses['ot'] = (density.flatten() * gradient).sum()
    losses['tv'] = number * (share - dots / (number + 1e-6)).abs().sum()
    losses['transport'] = cost
    return losses


def _transport_gradient(
    density: Tensor, points: Tensor, centres: Tensor, reg: float, max_iters: int
) -> tuple[Tensor, Tensor]:
    """Gradient (L,) of the transport cost to a density (L,), the potentials held constant; and the mean cost."""
    # (N, 1) - (L,) -> (N, L), one axis after the other: no (N, L, 2) in memory.
    cost = (points[:, :1] - centres[:, 0]).square() + (points[:, 1:] - centres[:, 1]).square()
    total = density.sum()
    source = cost.new_full((len(points),), 1 / len(points))
    transport = sinkhorn(cost, source, density / (total + 1e-6), reg, max_iters)
    square = total.square() + 1e-8
    # The derivative of <mu / S, beta>: beta / S - <mu, beta> / S^2. A constant in beta drops out.
    gradient = transport.beta * (total / square) - (density * transport.beta).sum() / square
    return gradient, (cost * transport.plan).sum()
