"""Local maxima of maps."""

import torch
from torch import Tensor


def local_maxima(maps: Tensor, radius: int, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Local maxima of every class map.

    Args:
        maps: (C, h, w) float.
        radius: Half-size of the square window, cells.
        threshold: Values below it are never peaks.

    Returns:
        cells (P, 2) float ``(x, y)``, labels (P,) int64, scores (P,) float, ordered by class and then row by row.

    Example:
        >>> maps = torch.zeros(1, 4, 4)
        >>> maps[0, 1, 2] = 2.0
        >>> local_maxima(maps, radius=1, threshold=0.5)[0].tolist()
        [[2.0, 1.0]]
    """
    from mmcount.ops import find_peaks

    positions, scores = find_peaks(maps[None], radius=radius, threshold=threshold)
    return positions[:, [3, 2]].to(maps.dtype), positions[:, 1], scores.to(torch.float32)
