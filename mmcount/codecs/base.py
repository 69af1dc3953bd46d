"""What every codec offers: ground truth to network target, network output to counts."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from .raster import Extent, unit_density


@dataclass
class CountPrediction:
    """What a codec reads from the output of a network for one image.

    Shape:
        counts: (C,) objects of each class, never rounded.
        density: (C, h, w) objects per cell; sums to ``counts`` over the cells.
        points: (P, 2) float, (x, y) in pixels of the network's input, pixel centres at integers.
        labels: (P,) int64.
        scores: (P,) float.
        extent: (left, top, right, bottom) of the map in pixels of the network's input, which itself lies at
            (-0.5, -0.5, W - 0.5, H - 0.5).
        spread: (C,) standard deviation of the method's own estimates of ``counts``, or None where it has but one.
        bboxes: (P, 4) float, (x1, y1, x2, y2) in pixel edges of the network's input, or None where the method has none.
    """

    counts: Tensor
    density: Tensor
    points: Tensor
    labels: Tensor
    scores: Tensor
    extent: tuple[float, float, float, float]
    spread: Tensor | None = None
    bboxes: Tensor | None = None


class CountCodec(ABC):
    """Base of the codecs: one object, shared by the pipeline (encode) and the head (decode).

    Args:
        num_classes: C, the channels of the map.
        stride: Input pixels between two cells of the map.

    Attributes:
        geometry: What ``encode`` takes: 'points' (N, 2), or 'bboxes' (N, 4) in pixel edges.
        counts_points: Whether every object that ``decode`` counts is one of its points, a unit in its own cell of the
            density.
        density_cell: Side of a cell of the density in cells of the map, where ``counts_points``.
    """

    geometry: str = 'points'
    counts_points: bool = False
    density_cell: int = 1

    def __init__(self, num_classes: int = 1, stride: int = 1) -> None:
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        if stride < 1:
            raise ValueError(f'stride must be at least 1, got {stride}')
        self.num_classes = num_classes
        self.stride = stride

    @property
    def mass_per_object(self) -> float:
        """What the target map sums to for one object."""
        return 1.0

    def map_shape(self, img_shape: tuple[int, int]) -> tuple[int, int]:
        """The (h, w) of the map of an image of ``img_shape`` (height, width): (ceil(H / s), ceil(W / s))."""
        height, width = img_shape
        return -(-height // self.stride), -(-width // self.stride)

    @property
    def map_origin(self) -> float:
        """Where the map begins, left and top, in pixels of the input (pixel centres at integers): with the image."""
        return -0.5

    def map_extent(self, output: Tensor) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) in pixels of the input that a (C, h, w) map covers."""
        height, width = output.shape[-2:]
        start = self.map_origin
        return start, start, start + width * self.stride, start + height * self.stride

    def density_of(self, points: Tensor, labels: Tensor, img_shape: tuple[int, int]) -> tuple[Tensor, Extent]:
        """The (C, h, w) density of a codec that counts points, and what it covers.

        Args:
            points: (N, 2) float, (x, y) in pixels of the input.
            labels: (N,) int64.
            img_shape: (height, width) of the input.
        """
        return unit_density(points, labels, self.num_classes, img_shape, self.stride * self.density_cell)

    @abstractmethod
    def encode(
        self, points: NDArray[Any], labels: NDArray[Any], img_shape: tuple[int, int], halo: int = 0
    ) -> NDArray[Any]:
        """The (C, h, w) float32 target of one image.

        Args:
            points: (N, 2) float, (x, y) in pixels of the input.
            labels: (N,) int64 in 0..C-1.
            img_shape: (height, width) of the input, its halo included.
            halo: Pixels of context on every side of the input that came with the crop; the map covers only what an
                image without them would have. 0 for a whole image.
        """

    @abstractmethod
    def decode(self, output: Tensor, img_shape: tuple[int, int]) -> CountPrediction:
        """Read counts, density, points and interval from a (C, h, w) output of an image of ``img_shape``."""
