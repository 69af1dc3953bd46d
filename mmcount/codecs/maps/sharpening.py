"""The options of codecs that read objects from a deconvolved map."""

import logging
from dataclasses import dataclass
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmcount.structures.map_grid import MapGrid

from .deconvolution import Blur, deconvolve
from .hills import find_objects

# So many objects are placed on an image of any size, even of one pixel.
FEW = 1000


class SharpMap(NamedTuple):
    """Objects behind a map.

    Shape:
        density: (C, h, w) float64, objects per cell, never negative.
        points: (P, 2) float32, (x, y) px, inside the image.
        labels: (P,) int64.
        scores: (P,) float32, mass of an object; about 1.
    """

    density: Tensor
    points: Tensor
    labels: Tensor
    scores: Tensor

    def density_of(self, counts: Tensor) -> Tensor:
        """(C, h, w) float32 that sums to the (C,) counts; even where a class counts nothing or less."""
        total = self.density.sum(dim=(1, 2))
        counts = counts.to(total)
        even = counts / self.density[0].numel()
        scale = torch.where(counts > 0, counts / total, 0.0)
        return (self.density * scale[:, None, None] + torch.where(counts > 0, 0.0, even)[:, None, None]).float()


@dataclass(frozen=True)
class Sharpening:
    """Deconvolution of a map and the points in its hills.

    Args:
        iterations: Rounds of the deconvolution. 30 are enough where objects lie sparse, 100 where they touch.
        threshold: Lowest and highest part of an object that makes a further point of a hill; between the two it is the
            value that brings the number of points nearest to the mass.
        hill_radius: Half-size in cells of the means that hills are found in; None takes that of the codec.

    Raises:
        ValueError: An option is out of range.
    """

    iterations: int = 100
    threshold: tuple[float, ...] = (0.4, 0.5)
    hill_radius: int | None = None

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f'iterations must be at least 1, got {self.iterations}')
        if len(self.threshold) != 2 or not 0 < self.threshold[0] <= self.threshold[1] < 1:
            raise ValueError(f'threshold must be two numbers with 0 < lowest <= highest < 1, got {self.threshold}')
        if self.hill_radius is not None and self.hill_radius < 0:
            raise ValueError(f'hill_radius must be None or at least 0, got {self.hill_radius}')

    def __call__(self, maps: Tensor, blur: Blur, grid: MapGrid, hill_radius: int = 0) -> SharpMap:
        """Objects behind a map.

        A class of more objects than the image has pixels, as untrained and diverged networks predict them, gets no
        points, with a warning.

        Args:
            maps: (C, h, w).
            blur: What made the map out of objects.
            grid: Where the cells of the objects lie.
            hill_radius: Cells; the option of this name goes first.
        """
        density = deconvolve(maps, blur, self.iterations)
        radius = hill_radius if self.hill_radius is None else self.hill_radius
        low, high = self.threshold
        places, labels, scores = find_objects(_possible(density, grid).cpu().numpy(), (low, high), radius)
        device = maps.device
        points = grid.clamp(grid.to_image(torch.from_numpy(places)))
        return SharpMap(
            density,
            points.float().to(device),
            torch.from_numpy(labels).to(device),
            torch.from_numpy(scores).float().to(device),
        )


def _possible(density: Tensor, grid: MapGrid) -> Tensor:
    """The density, zero in classes of more objects than pixels."""
    height, width = grid.img_shape
    most = max(height * width, FEW)
    totals = density.sum(dim=(1, 2))
    if bool((totals <= most).all()):
        return density
    numbers = {label: round(float(totals[label])) for label in torch.nonzero(totals > most).flatten().tolist()}
    print_log(
        f'no points: the map holds more objects than the image of {height} x {width} px has pixels, by class {numbers}',
        'current',
        logging.WARNING,
    )
    return density * (totals <= most)[:, None, None]
