"""Peaks by sliding-window arg-max, in plain PyTorch on any device."""

import torch
from torch import Tensor
from torch.nn import functional


def _shift(x: Tensor, offset: int, dim: int, fill: float) -> Tensor:
    """``out[p] = x[p + offset]`` along ``dim``, ``fill`` past the end."""
    size = x.shape[dim]
    offset = min(offset, size)
    kept = x.narrow(dim, offset, size - offset)
    pad = [0, 0] * (-dim - 1) + [0, offset]
    return functional.pad(kept, pad, value=fill)


def _first_larger(value: Tensor, index: Tensor, offset: int, dim: int) -> tuple[Tensor, Tensor]:
    """Of each pixel and the one ``offset`` after it, the larger; ties go to the first, absent pixels lose."""
    other_value, other_index = _shift(value, offset, dim, -torch.inf), _shift(index, offset, dim, -1)
    take = (other_value > value) | ((index < 0) & (other_index >= 0))
    return torch.where(take, other_value, value), torch.where(take, other_index, index)


def _window_first_max(value: Tensor, index: Tensor, radius: int, dim: int) -> tuple[Tensor, Tensor]:
    """Maximum of ``[p - radius, p + radius]`` along ``dim`` and where it first occurs, by window doubling."""
    radius = min(radius, value.shape[dim] - 1)
    pad = [0, 0] * (-dim - 1) + [radius, 0]
    value, index = functional.pad(value, pad, value=-torch.inf), functional.pad(index, pad, value=-1)
    length, width = 2 * radius + 1, 1
    while 2 * width <= length:
        value, index = _first_larger(value, index, width, dim)
        width *= 2
    if width < length:
        value, index = _first_larger(value, index, length - width, dim)
    size = value.shape[dim] - radius
    return value.narrow(dim, 0, size), index.narrow(dim, 0, size)


def peak_mask(x: Tensor, radius: int) -> Tensor:
    """Pixels that are the first maximum, in raster order, of the window around them.

    Args:
        x: (N, C, H, W) floating; NaN is absent.
        radius: Window half-size in px.

    Returns:
        (N, C, H, W) bool.
    """
    present = ~x.isnan()
    height, width = x.shape[-2:]
    if x.numel() == 0 or radius == 0:
        return present
    own = torch.arange(height * width, device=x.device).view(height, width)
    value, index = torch.where(present, x, -torch.inf), torch.where(present, own, -1)
    value, index = _window_first_max(value, index, radius, dim=-1)
    _, index = _window_first_max(value, index, radius, dim=-2)
    return present & (index == own)


def find_peaks(x: Tensor, radius: int, threshold: float | None, border: int) -> tuple[Tensor, Tensor]:
    """Reference of ``mmcount::find_peaks``: positions (P, 4) int64 in raster order and values (P,)."""
    mask = peak_mask(x, radius)
    if threshold is not None:
        mask &= x > torch.tensor(threshold, dtype=x.dtype, device=x.device)
    if border > 0:
        inner = torch.zeros_like(mask)
        inner[..., border : max(x.shape[-2] - border, 0), border : max(x.shape[-1] - border, 0)] = True
        mask &= inner
    positions = mask.nonzero().contiguous()  # nonzero lays its rows out column by column
    return positions, x[mask]


def find_peaks_topk(x: Tensor, radius: int, threshold: float | None, border: int, topk: int) -> tuple[Tensor, Tensor]:
    """Reference of ``mmcount::find_peaks_topk``: the ``topk`` largest of each channel, largest first."""
    positions, values = torch.ops.mmcount.find_peaks(x, radius, threshold, border)
    # Two stable sorts order by channel, then by falling value, then in raster order.
    order = values.argsort(descending=True, stable=True)
    channel = (positions[:, 0] * x.shape[1] + positions[:, 1])[order]
    order = order[channel.argsort(stable=True)]
    per_channel = torch.bincount(channel, minlength=x.shape[0] * x.shape[1])
    first = (per_channel.cumsum(0) - per_channel).repeat_interleave(per_channel)
    rank = torch.arange(len(order), device=x.device) - first
    order = order[rank < topk]
    return positions[order].contiguous(), values[order]


def peak_stimulation(
    x: Tensor, radius: int, filter: str, level: float, mean_grad: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Reference of ``mmcount::peak_stimulation``: scores (N, C), counts (N, C) int64, mask (N, C, H, W) bool."""
    del mean_grad  # only the backward differs
    peaks = peak_mask(x, radius)
    flat = x.flatten(2)
    if filter == 'median':
        keep = flat >= flat.nanmedian(dim=2, keepdim=True).values
    elif filter == 'mean':
        # Rounding may lift the mean of equal values above them; the maximum always stays.
        wide = flat.double()
        top = torch.where(wide.isnan(), -torch.inf, wide).amax(2, keepdim=True)
        keep = wide >= torch.minimum(wide.nanmean(dim=2, keepdim=True), top)
    elif filter == 'max':
        keep = flat >= torch.where(flat.isnan(), -torch.inf, flat).amax(2, keepdim=True)
    elif filter == 'value':
        keep = flat >= torch.tensor(level, dtype=x.dtype, device=x.device)
    else:
        keep = torch.ones_like(flat, dtype=torch.bool)
    mask = peaks & keep.view_as(peaks)
    counts = mask.sum((2, 3))
    total = torch.where(mask, x, 0).sum((2, 3), dtype=torch.float64)
    empty = torch.where(peaks.flatten(2).any(2), 0.0, torch.nan)
    scores = torch.where(counts > 0, total / counts, empty.to(total.dtype))
    return scores.to(x.dtype), counts, mask


def peak_stimulation_backward(grad: Tensor, counts: Tensor, mask: Tensor, mean_grad: bool) -> Tensor:
    """Reference of ``mmcount::peak_stimulation_backward``: each channel's gradient, written at its peaks."""
    if mean_grad:
        grad = (grad.double() / counts.clamp(min=1)).to(grad.dtype)
    return torch.where(mask, grad[:, :, None, None], torch.zeros((), dtype=grad.dtype, device=grad.device))


def topk_peak_mask(x: Tensor, mask: Tensor, counts: Tensor, limit: int | None) -> Tensor:
    """Reference of ``mmcount::topk_peak_mask``: the peaks not below the ``counts``-th largest of their channel."""
    area = x.shape[2] * x.shape[3]
    depth = area if limit is None else min(limit, area)
    if depth == 0 or x.numel() == 0:
        return torch.zeros_like(mask)
    wanted = counts > 0 if limit is None else (counts > 0) & (counts <= limit)
    peaks = torch.where(mask, x, -torch.inf).flatten(2)
    rank = counts.clamp(1, depth).unsqueeze(2) - 1
    level = peaks.topk(depth, dim=2).values.gather(2, rank)
    return mask & (x >= level[..., None]) & wanted[:, :, None, None]
