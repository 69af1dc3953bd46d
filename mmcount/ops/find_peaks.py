"""Local maxima of score maps."""

import torch
from torch import Tensor

from .reference import peaks as _reference
from .schema import register_op

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_maps(x: Tensor, radius: int) -> None:
    """Raise the errors common to all peak ops.

    Raises:
        TypeError: ``x`` is no float16, bfloat16, float32 or float64 tensor, or ``radius`` is no int.
        ValueError: ``x`` is not 4-D, or ``radius`` is negative.
    """
    if not isinstance(x, Tensor) or x.dtype not in DTYPES:
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f'x must be a float16, bfloat16, float32 or float64 tensor, got {found}')
    if x.dim() != 4:
        raise ValueError(f'x must have shape (N, C, H, W), got {tuple(x.shape)}')
    _check_int('radius', radius, 0)


def _check_int(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f'{name} must be an int, got {value!r}')
    if value < least:
        raise ValueError(f'{name} must be {least} or more, got {value}')


def find_peaks(
    x: Tensor, radius: int = 1, threshold: float | None = None, topk: int | None = None, border: int = 0
) -> tuple[Tensor, Tensor]:
    """Pick one pixel per hill of score maps.

    A pixel is a peak when it is larger than every earlier pixel and not smaller than any later pixel, in raster order,
    of the square window around it, clipped at the map. Ties therefore go to the first pixel, on every device, in
    every dtype: a plateau that fits in a window has one peak.

    Args:
        x: Score maps, in any memory layout. NaN is absent: never a peak, and its neighbours are compared as if it
            were outside the map. Infinities are ordinary values, so a map of ``-inf`` has a peak; pass ``threshold``
            to drop it.
        radius: Window half-size in pixels of the map; 0 keeps every pixel, any larger value is allowed.
        threshold: Strict lower bound of a peak's value, rounded to the dtype of ``x``. None keeps all.
        topk: Keep the largest ``topk`` peaks of each channel. None keeps all.
        border: Peaks nearer than this many pixels to the edge of the map are dropped; their pixels still compete.

    Returns:
        Positions ``(n, c, y, x)`` and their values, ordered by map and then in raster order, or with ``topk`` by map
        and then by falling value (equal values in raster order). Values carry no gradient.

    Shape:
        x: (N, C, H, W) -> positions: (P, 4) int64, values: (P,) same dtype as ``x``. P may be 0.

    Raises:
        TypeError: ``x`` is not floating, or a number is not of its type.
        ValueError: ``x`` is not 4-D, or ``radius``, ``topk`` or ``border`` is negative.

    Example:
        >>> import torch
        >>> score = torch.zeros(1, 1, 5, 5)
        >>> score[0, 0, 1, 1], score[0, 0, 1, 2], score[0, 0, 3, 4] = 2, 1, 1
        >>> positions, values = find_peaks(score, radius=1, threshold=0.5)
        >>> positions.tolist(), values.tolist()
        ([[0, 0, 1, 1], [0, 0, 3, 4]], [2.0, 1.0])
        >>> find_peaks(score, radius=1, topk=1)[0].tolist()
        [[0, 0, 1, 1]]
    """
    check_maps(x, radius)
    _check_int('border', border, 0)
    if threshold is not None:
        threshold = float(threshold)
    if topk is None:
        return torch.ops.mmcount.find_peaks(x.detach(), radius, threshold, border)
    _check_int('topk', topk, 0)
    return torch.ops.mmcount.find_peaks_topk(x.detach(), radius, threshold, border, topk)


def _fake(x: Tensor, *args: object) -> tuple[Tensor, Tensor]:
    number = torch.library.get_ctx().new_dynamic_size()
    return x.new_empty((number, 4), dtype=torch.int64), x.new_empty((number,))


register_op(
    'find_peaks(Tensor x, int radius, float? threshold, int border) -> (Tensor positions, Tensor values)',
    reference=_reference.find_peaks,
    fake=_fake,
)
register_op(
    'find_peaks_topk(Tensor x, int radius, float? threshold, int border, int topk) '
    '-> (Tensor positions, Tensor values)',
    reference=_reference.find_peaks_topk,
    fake=_fake,
)
