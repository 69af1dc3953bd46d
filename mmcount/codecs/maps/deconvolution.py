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
MAX_RATE = 0.999
TINY = torch.finfo(torch.float64).tiny


class BoxSum:
    """Sums of all squares inside a map, prepared for maps of one shape.

    Windows of 2, 4, 8, ... cells are added up, so that no cell outside of a square takes part in its sum, not even by
    rounding; a summed-area table would carry the rounding of all cells before it. Buffers and views are made once: on
    small maps they would take longer than the additions.

    Args:
        shape: (C, h, w).
        side: Side of a square, cells; at most h and w.
        margin: Zeros around the map, cells.
        device: Of the maps.

    Example:
        >>> BoxSum((1, 2, 3), side=2)(torch.tensor([[[1.0, 2.0, 0.0], [0.0, 4.0, 8.0]]])).tolist()
        [[[7.0, 14.0]]]
    """

    def __init__(
        self, shape: tuple[int, ...], side: int, margin: int = 0, device: torch.device | str | None = None
    ) -> None:
        num_classes, height, width = shape
        padded = num_classes, height + 2 * margin, width + 2 * margin
        maps = torch.zeros(padded, dtype=torch.float64, device=device)
        # Sums of a power of two need the last window only: two buffers in turn. Others add up windows of several sides.
        self._spare = [torch.empty_like(maps).flatten() for _ in range(2)] if side & (side - 1) == 0 else []
        self.inner = maps[:, margin : margin + height, margin : margin + width]
        self.steps: list[tuple[Tensor, Tensor, Tensor]] = []
        for dim in (1, 2):
            length = maps.shape[dim] - side + 1
            window, covered = 1, side & 1
            total = maps.narrow(dim, 0, length) if covered else None
            while covered < side:
                reach = maps.shape[dim] - window
                maps = self._add(maps.narrow(dim, 0, reach), maps.narrow(dim, window, reach))
                window *= 2
                if side & window:
                    part = maps.narrow(dim, covered, length)
                    total = part if total is None else self._add(total, part)
                    covered += window
            maps = total
        self.result = maps

    def _add(self, first: Tensor, second: Tensor) -> Tensor:
        buffer = self._spare[len(self.steps) % 2] if self._spare else first.new_empty(first.numel())
        total = buffer[: first.numel()].view(first.shape)
        self.steps.append((first, second, total))
        return total

    def __call__(self, maps: Tensor) -> Tensor:
        """(C, h, w) -> (C, h + 2 * margin - side + 1, w + 2 * margin - side + 1) float64."""
        self.inner.copy_(maps)
        for first, second, total in self.steps:
            torch.add(first, second, out=total)
        return self.result.clone()


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
        shape: (C, h, w) of x.
        device: Of the map.

    Example:
        >>> BoxBlur(2, (1, 1, 2)).spread(torch.tensor([[[1.0, 3.0]]])).tolist()
        [[[1.0, 4.0, 3.0], [1.0, 4.0, 3.0]]]
    """

    def __init__(self, side: int, shape: tuple[int, int, int], device: torch.device | str | None = None) -> None:
        num_classes, height, width = shape
        self.mass = float(side**2)
        self._windows = BoxSum(shape, side, margin=side - 1, device=device)
        self._objects = BoxSum((num_classes, height + side - 1, width + side - 1), side, device=device)

    def spread(self, cells: Tensor) -> Tensor:
        """(C, h, w) objects per cell -> (C, h + side - 1, w + side - 1) objects per window."""
        return self._windows(cells)

    def gather(self, maps: Tensor) -> Tensor:
        """Sum of all windows that see each cell."""
        return self._objects(maps)


class GaussianBlur(Blur):
    """Density maps: every cell spreads a Gaussian that sums to one over the cells inside the map.

    Args:
        sigma: Standard deviation, cells.
        shape: (C, h, w) of x and of the map.
        truncate: Radius of the Gaussian in standard deviations.
        device: Of the map.

    Example:
        >>> cells = torch.eye(15, dtype=torch.float64).view(15, 3, 5)
        >>> GaussianBlur(0.7, (15, 3, 5)).spread(cells).sum(dim=(1, 2)).allclose(torch.ones(15, dtype=torch.float64))
        True
    """

    def __init__(
        self,
        sigma: float,
        shape: tuple[int, int, int],
        truncate: float = 4.0,
        device: torch.device | str | None = None,
    ) -> None:
        num_classes, height, width = shape
        radius = max(1, math.ceil(truncate * sigma))
        taps = [math.exp(-0.5 * (cell / sigma) ** 2) for cell in range(radius + 1)]
        # Zeros around the rows, then around the columns; as in BoxSum, buffers and views are made once.
        tall, wide, self.result = (
            torch.zeros(num_classes, height + 2 * rows, width + 2 * columns, dtype=torch.float64, device=device)
            for rows, columns in ((radius, 0), (0, radius), (0, 0))
        )
        self.inner = tall.narrow(1, radius, height)
        self.axes = [
            (total, [(source.narrow(dim, radius + cell, side), taps[abs(cell)]) for cell in range(-radius, radius + 1)])
            for source, total, dim, side in (
                (tall, wide.narrow(2, radius, width), 1, height),
                (wide, self.result, 2, width),
            )
        ]
        self.inside = self._blur(torch.ones_like(self.inner))

    def _blur(self, maps: Tensor) -> Tensor:
        """Separable Gaussian with zeros around the map, not normalised."""
        self.inner.copy_(maps)
        for total, parts in self.axes:
            total.zero_()
            for part, weight in parts:
                total.add_(part, alpha=weight)
        return self.result.clone()

    def spread(self, cells: Tensor) -> Tensor:
        """(C, h, w) objects per cell -> (C, h, w) densities."""
        return self._blur(cells / self.inside)

    def gather(self, maps: Tensor) -> Tensor:
        """Mean of a map under the Gaussian of each cell."""
        return self._blur(maps).div_(self.inside)


@torch.no_grad()
def deconvolve(maps: Tensor, blur: Blur, iterations: int = 100) -> Tensor:
    """Solve ``A x = maps`` for non-negative x, each class by itself.

    Args:
        maps: (C, h, w) of any real dtype; what is negative counts as zero. No gradient passes.
        blur: A.
        iterations: Rounds.

    Returns:
        (C, h', w') float64, at least 1e-12 in every cell; ``x.sum() * blur.mass`` is the sum of the non-negative maps.

    Example:
        >>> dots = torch.zeros(1, 5, 5, dtype=torch.float64)
        >>> dots[0, 1, 1], dots[0, 3, 4] = 1.0, 2.0
        >>> blur = BoxBlur(3, (1, 5, 5))
        >>> deconvolve(blur.spread(dots), blur).round(decimals=3).equal(dots)
        True
    """
    maps = maps.double().clamp(min=0)
    cells = previous = (blur.gather(maps) / blur.mass**2).clamp(min=FLOOR)
    correction = earlier = torch.zeros_like(cells)
    for _ in range(iterations):
        # Two corrections exist from the third round on; before, this is 0 / tiny.
        rate = _inner(correction, earlier) / _inner(earlier, earlier).clamp(min=TINY)
        ahead = torch.addcmul(cells, rate.clamp(0, MAX_RATE), cells - previous).clamp_(min=FLOOR)
        ratio = blur.gather(maps / blur.spread(ahead).clamp_(min=SMALLEST)).div_(blur.mass)
        previous, earlier = cells, correction
        cells = (ahead * ratio).clamp_(min=FLOOR)
        correction = cells - ahead
    return cells


def _inner(first: Tensor, second: Tensor) -> Tensor:
    """(C, 1, 1) inner products of (C, h, w) maps."""
    return (first * second).sum(dim=(-2, -1), keepdim=True)
