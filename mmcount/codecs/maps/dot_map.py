"""Dot maps: the number of objects in every cell (DM-Count)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcount.codecs.base import CountCodec, checked_map
from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction, no_points


@CODECS.register_module()
class DotMapCodec(CountCodec):
    """Objects to the number in each cell, unblurred, and a density map to counts.

    Wang et al., "Distribution Matching for Crowd Counting", NeurIPS 2020: the density of the network is compared with
    the dots as a distribution, so neither needs a width. Coordinates are rounded to pixels, half to even.

    Args:
        num_classes: C.
        stride: Input pixels between two cells.

    Example:
        >>> codec = DotMapCodec(stride=8)
        >>> points = np.array([[3, 4], [7.6, 2], [7.5, 7.5], [15, 15], [8.5, 12.2]])
        >>> codec.encode(Objects(points), codec.grid((16, 16)))['data'].tolist()
        [[[1.0, 1.0], [0.0, 3.0]]]
    """

    def __init__(self, num_classes: int = 1, stride: int = 8) -> None:
        super().__init__(num_classes=num_classes, stride=stride)

    def encode(self, objects: Objects, grid: MapGrid) -> dict[str, NDArray[Any]]:
        """The dot map of one image.

        Args:
            objects: Those outside of the image are left out.
            grid: Of the image.

        Returns:
            ``data``: (C, h, w) float32 objects per cell.
        """
        objects = objects.checked(self.num_classes).inside(grid.img_shape)
        height, width = grid.img_shape
        pixels = np.rint(objects.points).astype(np.int64).clip(0, (width - 1, height - 1))
        dots = np.zeros((self.num_classes, *grid.shape), dtype=np.float32)
        column, row = (pixels // grid.stride).T
        np.add.at(dots, (objects.labels, row, column), 1)
        return dict(data=dots)

    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """Counts and density; the method finds no points.

        Args:
            maps: (C, h, w) objects per cell.
            grid: Of the image.
            known: Unused.

        Raises:
            ValueError: The map is not that of the grid.
        """
        density = checked_map(maps, grid, self.num_classes)
        counts = density.sum(dim=(1, 2), dtype=torch.float64).float()
        return CountPrediction(counts, *no_points(density), density, grid.extent)
