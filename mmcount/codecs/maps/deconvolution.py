"""Deconvolution of maps whose blur is exactly known: from window counts or Gaussians back to the objects.

The iteration is that of Richardson (1972) and Lucy (1974), accelerated as by Biggs and Andrews, *Acceleration of
iterative image restoration algorithms* (1997). It keeps maps non-negative and their sum unchanged.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

# Cells never fall below FLOOR, so that a multiplicative step can bring any of them back; a predicted map never below
# SMALLEST, so that no ratio overflows.
FLOOR = 1e-12
SMALLEST = 1e-9
MAX_ACCELERATION = 0.999


def box_sum(maps: Tensor, side: int) -> Tensor:
    """Sum of every ``side`` x ``side`` square that lies inside a map.

    Windows of 2, 4, 8, ... cells are added up, so that no cell outside of a square takes part in its sum, not even by
    rounding. A summed-area table would carry the rounding of all cells before it.

    Args:
        maps: (..., h, w).
        side: Cells, at most h and w.

    Returns:
        (..., h - side + 1, w - side + 1).

    Example:
        >>> box_sum(torch.tensor([[1.0, 2.0, 0.0], [0.0, 4.0, 8.0]]), side=2).tolist()
        [[7.0, 14.0]]
    """
    for dim in (-2, -1):
        length = maps.shape[dim] - side + 1
        window, total, covered = 1, None, 0
        while True:
            if side & window:
                part = maps.narrow(dim, covered, length)
                total = part if total is None else total + part
                covered += window
            if covered == side:
                break
            reach = maps.shape[dim] - window
            maps = maps.narrow(dim, 0, reach) + maps.narrow(dim, window, reach)
            window *= 2
        maps = total
    return maps


class Blur(ABC):
    """Base class of linear blurs A that spread every cell of x over a map, the same sum for every cell.

    Attributes:
        mass: Sum that one unit of x has in the map, ``A^T 1``.
    """

    mass: float = 1.0

    @abstractmethod
    def spread(self, cells: Tensor) -> Tensor:
        """Map A x of (C, h, w) cells."""

    @abstractmethod
    def gather(self, maps: Tensor) -> Tensor:
        """A^T y, (C, h, w): the adjoint of :meth:`spread`."""


class BoxBlur(Blur):
    """Window counts: every cell of the map is the sum of ``side`` x ``side`` cells.

    The map has ``side - 1`` cells more than x along both sides, so that each cell of x lies in ``side ** 2`` windows.

    Args:
        side: Cells of x along a window.

    Example:
        >>> BoxBlur(2).spread(torch.tensor([[[1.0, 3.0]]])).tolist()
        [[[1.0, 4.0, 3.0], [1.0, 4.0, 3.0]]]
    """

    def __init__(self, side: int) -> None:
        self.side = side
        self.mass = float(side**2)

    def spread(self, cells: Tensor) -> Tensor:
        """(C, h, w) objects per cell -> (C, h + side - 1, w + side - 1) objects per window."""
        return box_sum(torch.nn.functional.pad(cells, (self.side - 1,) * 4), self.side)

    def gather(self, maps: Tensor) -> Tensor:
        """Sum of all windows that see each cell."""
        return box_sum(maps, self.side)


class GaussianBlur(Blur):
    """Density maps: every cell spreads a Gaussian that sums to one over the cells inside the map.

    Args:
        sigma: Standard deviation, cells.
        map_shape: (h, w).
        truncate: Radius of the Gaussian in standard deviations.

    Example:
        >>> cells = torch.eye(15, dtype=torch.float64).view(15, 3, 5)
        >>> GaussianBlur(0.7, (3, 5)).spread(cells).sum(dim=(1, 2)).allclose(torch.ones(15, dtype=torch.float64))
        True
    """

    def __init__(self, sigma: float, map_shape: tuple[int, int], truncate: float = 4.0) -> None:
        radius = max(1, math.ceil(truncate * sigma))
        self.taps = [math.exp(-0.5 * (cell / sigma) ** 2) for cell in range(radius + 1)]
        self.inside = self._blur(torch.ones(1, *map_shape, dtype=torch.float64))

    def _blur(self, maps: Tensor) -> Tensor:
        """Separable Gaussian with zeros around the map."""
        for dim in (-2, -1):
            total, side = maps * self.taps[0], maps.shape[dim]
            for cell, weight in enumerate(self.taps[1:side], start=1):
                total.narrow(dim, cell, side - cell).add_(maps.narrow(dim, 0, side - cell), alpha=weight)
                total.narrow(dim, 0, side - cell).add_(maps.narrow(dim, cell, side - cell), alpha=weight)
            maps = total
        return maps

    def spread(self, cells: Tensor) -> Tensor:
        """(C, h, w) objects per cell -> (C, h, w) densities."""
        return self._blur(cells / self.inside.to(cells))

    def gather(self, maps: Tensor) -> Tensor:
        """Mean of a map under the Gaussian of each cell."""
        return self._blur(maps) / self.inside.to(maps)


def deconvolve(maps: Tensor, blur: Blur, iterations: int = 100) -> Tensor:
    """Solve ``A x = maps`` for non-negative x, each class by itself.

    Args:
        maps: (C, h, w) of any real dtype; what is negative counts as zero.
        blur: A.
        iterations: Rounds.

    Returns:
        (C, h', w') float64, at least 1e-12 in every cell; ``x.sum() * blur.mass`` is the sum of the non-negative maps.

    Example:
        >>> dots = torch.zeros(1, 5, 5, dtype=torch.float64)
        >>> dots[0, 1, 1], dots[0, 3, 4] = 1.0, 2.0
        >>> blur = BoxBlur(3)
        >>> deconvolve(blur.spread(dots), blur).round(decimals=3).equal(dots)
        True
    """
    maps = maps.double().clamp(min=0)
    cells = (blur.gather(maps) / blur.mass**2).clamp(min=FLOOR)
    previous, correction, earlier = cells, None, None
    for _ in range(iterations):
        ahead = cells
        if correction is not None and earlier is not None:
            dims = (-2, -1)
            norm = (earlier * earlier).sum(dims, keepdim=True)
            rate = (correction * earlier).sum(dims, keepdim=True) / norm.clamp(min=torch.finfo(norm.dtype).tiny)
            # A round that changed nothing leaves nothing to accelerate: 0 / tiny is 0.
            ahead = (cells + rate.clamp(0, MAX_ACCELERATION) * (cells - previous)).clamp(min=FLOOR)
        ratio = blur.gather(maps / blur.spread(ahead).clamp(min=SMALLEST)) / blur.mass
        previous, cells = cells, (ahead * ratio).clamp(min=FLOOR)
        earlier, correction = correction, cells - ahead
    return cells
