"""The peaks of class maps that stand for instances."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmcount.ops import peak_stimulation


class Peaks(NamedTuple):
    """Peaks of one image.

    Attributes:
        positions: (K, 3) int64, ``(c, y, x)`` in the class maps; by class, then row by row.
        values: (K,) of the class maps.
    """

    positions: Tensor
    values: Tensor

    @property
    def labels(self) -> Tensor:
        """(K,) int64."""
        return self.positions[:, 0]


def select_peaks(
    maps: Tensor,
    class_threshold: float = 0.5,
    peak_threshold: float | None = 20.0,
    counts: Tensor | None = None,
    fall_back: bool = True,
    radius: int = 1,
) -> Peaks:
    """Peaks of the classes that are present.

    A class is present when its score, the mean of its peaks, reaches ``class_threshold``; a peak counts from
    ``peak_threshold`` on (Cholakkal et al., CVPR 2019, section 4.2, with the values of the published demonstration).

    Args:
        maps: (C, h, w) class maps of one image.
        class_threshold: Lowest score of a class.
        peak_threshold: Lowest value of a peak; None for any. Its scale is that of the trained network.
        counts: (C,) predicted objects. With them a class keeps no more than its rounded count of peaks, the highest
            ones; equal values go to the first in raster order.
        fall_back: Where no class reaches its threshold, all enter; where no peak reaches its own, the highest does. An
            image then always has a peak, unless ``counts`` says that there is none.
        radius: Half-size of the window of a peak, cells.

    Raises:
        ValueError: ``maps`` is not (C, h, w), or ``counts`` is not (C,).

    Example:
        >>> maps = torch.zeros(2, 4, 4)
        >>> maps[0, 1, 1], maps[0, 3, 3], maps[1, 2, 2] = 9.0, 5.0, -1.0
        >>> select_peaks(maps, peak_threshold=4.0).positions.tolist()
        [[0, 1, 1], [0, 3, 3]]
        >>> select_peaks(maps, peak_threshold=4.0, counts=torch.tensor([1.2, 0.0])).positions.tolist()
        [[0, 1, 1]]
    """
    if maps.dim() != 3:
        raise ValueError(f'maps must be (C, h, w), got {tuple(maps.shape)}')
    if counts is not None and counts.shape != maps.shape[:1]:
        raise ValueError(f'counts must be ({maps.shape[0]},), got {tuple(counts.shape)}')
    maps = maps.detach().float()
    found = peak_stimulation(maps[None], radius=radius, filter='median')
    present = found.scores[0] >= class_threshold
    if fall_back and not present.any():
        present = found.scores[0] >= found.scores[0].amin()
    candidates = found.mask[0] & present[:, None, None]
    if peak_threshold is not None and candidates.any():
        highest = float(maps[candidates].amax())
        candidates = candidates & (maps >= (min(peak_threshold, highest) if fall_back else peak_threshold))
    positions = candidates.nonzero()
    values = maps[candidates]
    if counts is not None:
        kept = _highest(positions[:, 0], values, counts.to(values).round())
        positions, values = positions[kept], values[kept]
    return Peaks(positions, values)


def _highest(labels: Tensor, values: Tensor, limits: Tensor) -> Tensor:
    """Ascending indices of the ``limits[c]`` highest values of each class c."""
    order = values.argsort(descending=True, stable=True)
    order = order[labels[order].argsort(stable=True)]
    firsts = torch.searchsorted(labels[order].contiguous(), labels[order].contiguous())
    rank = torch.arange(len(order), device=order.device) - firsts
    return order[rank < limits[labels[order]]].sort().values
