"""How far a pixel of the input reaches in the maps of a network."""

from collections.abc import Callable

import torch
from torch import Tensor

#: Longest strip that is tried, pixels: a reach of half of it.
MAX_STRIP = 8192


class StrideError(ValueError):
    """An image that is moved by the divisor does not give the moved map."""


def measured_reach(
    network: Callable[[Tensor], tuple[Tensor, ...]], like: Tensor, divisor: int, max_strip: int = MAX_STRIP
) -> int:
    """Pixels across an edge between two blocks of ``divisor`` pixels that anything beyond it can change.

    One half of an image is made NaN, which passes through convolutions, pooling, normalisation and activations
    wherever a value depends on it, even with a weight of zero. What is still a number on the other half depends on
    nothing beyond the edge: neither on pixels, nor on whether the image goes on there. Long narrow strips do, one along
    each axis. Modules that turn NaN into numbers would hide a dependence; none of those that counters use does.

    Args:
        network: (b, C, H, W) -> maps (b, K, h, w), in evaluation mode.
        like: A tensor of C channels in dimension 1, whose device and type the network takes.
        divisor: A multiple of all strides inside the network, pixels.
        max_strip: Length of the longest strip, pixels.

    Returns:
        A number of pixels; 0 for pixel-wise networks.

    Raises:
        StrideError: ``divisor`` is no multiple of the strides.
        ValueError: The maps depend on the whole image, as with normalisation over all of it, global pooling or
            attention, or farther than half of ``max_strip``.

    Example:
        >>> conv = torch.nn.Conv2d(1, 1, 5, padding=2)
        >>> measured_reach(lambda x: (conv(x),), torch.zeros(1, 1), divisor=1)
        2
    """
    side = -(-64 // divisor) * divisor
    length = max(8 * side, 4 * divisor)
    while length <= max(max_strip, 4 * divisor):
        reaches = [_axis_reach(network, like, divisor, side, length, axis) for axis in (2, 3)]
        if None not in reaches:
            reach = max(one for one in reaches if one is not None)
            _check_shift(network, like, divisor, side, length, reach)
            return reach
        length *= 2
    raise ValueError(
        f'a change anywhere in a strip of {length // 2} px changes the map at its end: the network needs the whole '
        'image, or a halo that is larger than is tried'
    )


@torch.no_grad()
def _axis_reach(
    network: Callable[[Tensor], tuple[Tensor, ...]], like: Tensor, divisor: int, side: int, length: int, axis: int
) -> int | None:
    """Reach along one axis; None where it goes to the end of the strip."""
    edge = length // divisor // 2 * divisor
    shape = [1, like.shape[1], side, side]
    shape[axis] = length
    reach = 0
    for beyond in (slice(edge, None), slice(None, edge)):
        strip = like.new_zeros(shape)
        strip.transpose(axis, 3)[..., beyond] = torch.nan
        # Algorithms that work on blocks or frequencies spread NaN farther than the layer itself does.
        with torch.backends.cudnn.flags(enabled=False):
            maps = network(strip)
        seen = False
        for one in maps:
            reached = one.isnan().transpose(axis, 3).flatten(0, 2).any(dim=0).nonzero()[:, 0]
            if not len(reached):
                continue  # a constant, such as a fixed threshold
            seen = True
            first, last = int(reached[0]), int(reached[-1])
            pixels = length // one.shape[axis]
            if beyond.start is None:
                if last == one.shape[axis] - 1:
                    return None
                reach = max(reach, (last + 1) * pixels - edge)
            else:
                if first == 0:
                    return None
                reach = max(reach, edge - first * pixels)
        if not seen:
            raise ValueError('NaN in the input does not come through: give the halo instead of measuring it')
    return reach


@torch.no_grad()
def _check_shift(
    network: Callable[[Tensor], tuple[Tensor, ...]], like: Tensor, divisor: int, side: int, length: int, reach: int
) -> None:
    """See that an image moved by the divisor has the moved maps: else tiles are not cut where its strides allow."""
    noise = torch.randn(1, like.shape[1], side, length + divisor, generator=torch.Generator().manual_seed(0)).to(like)
    # Exact kernels leave nothing but rounding, so that the tolerance can be small even where a map hardly varies.
    with torch.backends.cudnn.flags(enabled=False):
        pairs = list(zip(network(noise[..., :-divisor]), network(noise[..., divisor:]), strict=True))
    for first, second in pairs:
        step, rest = divmod(first.shape[3] * divisor, length)
        border = -(-reach * first.shape[3] // length)
        moved, still = first[..., step + border : first.shape[3] - border], second[..., border:]
        still = still[..., : moved.shape[3]]
        tolerance = 1e-2 * float(first.std()) + 1e-5 * float(first.abs().max())
        if rest or not torch.allclose(moved, still, rtol=0, atol=tolerance):
            raise StrideError(
                f'an image that is moved by {divisor} px does not give the moved map: the divisor is no multiple of '
                'all strides of the network, or the network knows positions'
            )
