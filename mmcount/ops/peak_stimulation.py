"""Class scores from the peaks of class maps, and pseudo ground truth from the highest of them."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from .find_peaks import _check_int, check_maps
from .reference import peaks as _reference
from .schema import register_op

_FILTERS = ('median', 'mean', 'max')


class PeakStimulation(NamedTuple):
    """Class scores and the peaks they were made from.

    Attributes:
        scores: (N, C), dtype of the maps; differentiable.
        mask: (N, C, H, W) bool, true at the peaks.
        counts: (N, C) int64, peaks per channel.
    """

    scores: Tensor
    mask: Tensor
    counts: Tensor

    @property
    def positions(self) -> Tensor:
        """Peaks ``(n, c, y, x)`` in raster order, (P, 4) int64. Waits for the device: P depends on the data."""
        return self.mask.nonzero()


def peak_stimulation(
    x: Tensor,
    radius: int = 1,
    filter: Literal['median', 'mean', 'max'] | float | None = 'median',
    grad: Literal['sum', 'mean'] = 'sum',
) -> PeakStimulation:
    r"""Class score of each map: the mean of its peaks.

    .. math:: s_c = \frac{1}{|P_c|} \sum_{(y, x) \in P_c} M_c(y, x)

    with the peaks :math:`P_c` of ``find_peaks``, as in peak response mapping (Zhou et al., CVPR 2018, eq. 1-2) and
    image-level counting (Cholakkal et al., CVPR 2019, section 3.1).

    Args:
        x: Class maps M. NaN is absent, as in ``find_peaks``.
        radius: Window half-size in pixels of the map.
        filter: Keep only peaks not below this level of their channel: its ``median`` (the lower one for an even
            number of pixels), its ``mean`` (in float64), its ``max``, a number, or None for all.
        grad: Gradient of a score at each of its peaks: ``sum`` gives 1, what the published training code does, and
            ``mean`` gives 1 / |P|, the true derivative.

    Returns:
        Scores, peak mask and peak counts. A channel whose peaks a numeric ``filter`` drops altogether scores 0, one
        that is all NaN scores NaN; both have zero gradient.

    Shape:
        x: (N, C, H, W) with H, W >= 1 -> scores: (N, C), mask: (N, C, H, W), counts: (N, C).

    Raises:
        TypeError: ``x`` is not floating, or ``radius`` is not an int.
        ValueError: ``x`` is not 4-D or has empty maps, ``radius`` is negative, or an option is unknown.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[[[0.0, 3.0, 0.0, 0.0, 1.0]]]], requires_grad=True)
        >>> out = peak_stimulation(maps)
        >>> out.scores.tolist(), out.positions.tolist()
        ([[2.0]], [[0, 0, 0, 1], [0, 0, 0, 4]])
        >>> out.scores.sum().backward()
        >>> maps.grad.tolist()
        [[[[0.0, 1.0, 0.0, 0.0, 1.0]]]]
    """
    check_maps(x, radius)
    if x.shape[2] == 0 or x.shape[3] == 0:
        raise ValueError(f'x must have maps of at least 1 x 1 px, got {tuple(x.shape)}')
    if grad not in ('sum', 'mean'):
        raise ValueError(f"grad must be 'sum' or 'mean', got {grad!r}")
    kind, level = _parse_filter(filter)
    scores, counts, mask = torch.ops.mmcount.peak_stimulation(x, radius, kind, level, grad == 'mean')
    return PeakStimulation(scores, mask, counts)


def _parse_filter(filter: str | float | None) -> tuple[str, float]:
    if filter is None:
        return 'none', 0.0
    if isinstance(filter, (int, float)) and not isinstance(filter, bool):
        return 'value', float(filter)
    if filter in _FILTERS:
        return str(filter), 0.0
    raise ValueError(f'filter must be None, a number or one of {_FILTERS}, got {filter!r}')


def topk_peak_mask(x: Tensor, mask: Tensor, counts: Tensor, limit: int | None = None) -> Tensor:
    """Pseudo ground truth: in each channel, as many of its highest peaks as it has objects.

    A peak stays when it is not below the ``counts``-th largest peak of its channel (Cholakkal et al., CVPR 2019,
    eq. 2). Equal peaks at that rank all stay; a channel with fewer peaks than objects keeps all it has. The whole
    batch is one call that never waits for the device.

    Args:
        x: Class maps; only the values at the peaks matter. No gradient flows through the result.
        mask: Peaks, such as ``PeakStimulation.mask``.
        counts: Objects per channel; integral values of any real dtype. Zero and negative counts keep nothing.
        limit: Channels with more objects than this keep nothing. None sets no limit.

    Returns:
        Mask of the kept peaks.

    Shape:
        x, mask (bool): (N, C, H, W), counts: (N, C) -> (N, C, H, W) bool.

    Raises:
        TypeError: ``x`` is not floating or ``mask`` is not bool.
        ValueError: The shapes do not fit, or ``limit`` is negative.

    Example:
        >>> import torch
        >>> maps = torch.tensor([[[[0.0, 3.0, 0.0, 0.0, 1.0]]]])
        >>> topk_peak_mask(maps, peak_stimulation(maps).mask, torch.tensor([[1]])).nonzero().tolist()
        [[0, 0, 0, 1]]
    """
    check_maps(x, 0)
    if mask.dtype != torch.bool:
        raise TypeError(f'mask must be bool, got {mask.dtype}')
    if mask.shape != x.shape or counts.shape != x.shape[:2]:
        raise ValueError(
            f'mask must have shape {tuple(x.shape)} and counts {tuple(x.shape[:2])}, '
            f'got {tuple(mask.shape)} and {tuple(counts.shape)}'
        )
    if limit is not None:
        _check_int('limit', limit, 0)
    return torch.ops.mmcount.topk_peak_mask(x.detach(), mask, counts.to(x.device, torch.int64), limit)


def _fake_stimulation(x: Tensor, *args: object) -> tuple[Tensor, Tensor, Tensor]:
    scores = x.new_empty(x.shape[:2])
    return scores, torch.empty_like(scores, dtype=torch.int64), x.new_empty(x.shape, dtype=torch.bool)


def _setup_stimulation(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    _, counts, mask = output
    ctx.mark_non_differentiable(counts, mask)
    ctx.save_for_backward(counts, mask)
    ctx.mean_grad = inputs[4]


def _backward_stimulation(ctx: Any, grad: Tensor, *unused: Tensor) -> tuple[Tensor | None, ...]:
    counts, mask = ctx.saved_tensors
    return torch.ops.mmcount.peak_stimulation_backward(grad, counts, mask, ctx.mean_grad), None, None, None, None


def _setup_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, counts, mask, ctx.mean_grad = inputs
    ctx.save_for_backward(counts, mask)


def _backward_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    counts, mask = ctx.saved_tensors
    total = torch.where(mask, grad, torch.zeros((), dtype=grad.dtype, device=grad.device)).sum((2, 3))
    return (total / counts.clamp(min=1) if ctx.mean_grad else total), None, None, None


register_op(
    'peak_stimulation(Tensor x, int radius, str filter, float level, bool mean_grad) '
    '-> (Tensor scores, Tensor counts, Tensor mask)',
    reference=_reference.peak_stimulation,
    fake=_fake_stimulation,
    setup_context=_setup_stimulation,
    backward=_backward_stimulation,
)
register_op(
    'peak_stimulation_backward(Tensor grad, Tensor counts, Tensor mask, bool mean_grad) -> Tensor',
    reference=_reference.peak_stimulation_backward,
    fake=lambda grad, counts, mask, mean_grad: grad.new_empty(mask.shape),
    setup_context=_setup_backward,
    backward=_backward_backward,
)
register_op(
    'topk_peak_mask(Tensor x, Tensor mask, Tensor counts, int? limit) -> Tensor',
    reference=_reference.topk_peak_mask,
    fake=lambda x, mask, counts, limit: torch.empty_like(mask, memory_format=torch.contiguous_format),
)
