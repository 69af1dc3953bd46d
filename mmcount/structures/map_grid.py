"""Cells of a map on its image."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

Size = tuple[int, int]
#: (left, top, right, bottom) in pixels, pixel centres at integers: an image lies at (-0.5, -0.5, W - 0.5, H - 0.5).
Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class MapGrid:
    """Square cells of a map over an image: the only place that holds half-pixel conventions.

    Pixel centres are at integers, so the left edge of pixel 0 is at -0.5. Cell (i, j) covers the rows from
    ``origin + i * stride`` to ``origin + (i + 1) * stride`` and the columns likewise. The last cells may reach over the
    border of the image.

    Args:
        img_shape: (height, width) of the image in pixels of the network's input.
        stride: Pixels from one cell to the next.
        padding: Pixels by which the map exceeds the image, both sides together. Negative for the crop of an image that
            brings context, whose map covers less than the crop.
        origin: Left and top edge of the first cell, pixels.

    Raises:
        ValueError: The stride is below 1, or no cell is left.

    Example:
        >>> grid = MapGrid((449, 60), stride=32)
        >>> grid.shape, grid.extent
        ((15, 2), (-0.5, -0.5, 63.5, 479.5))
    """

    img_shape: Size
    stride: int = 1
    padding: int = 0
    origin: float = -0.5

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f'stride must be at least 1, got {self.stride}')
        if min(self.img_shape) + self.padding < 1:
            raise ValueError(
                f'an image of {self.img_shape} (height, width) has no cells of its own: {-self.padding} px of it are '
                'context'
            )

    @property
    def shape(self) -> Size:
        """(h, w) of the map: (ceil((H + padding) / stride), ceil((W + padding) / stride))."""
        height, width = self.img_shape
        return -(-(height + self.padding) // self.stride), -(-(width + self.padding) // self.stride)

    @property
    def extent(self) -> Extent:
        """(left, top, right, bottom) of all cells, pixels."""
        height, width = self.shape
        return (
            self.origin,
            self.origin,
            self.origin + width * self.stride,
            self.origin + height * self.stride,
        )

    def for_image(self, img_shape: Size) -> 'MapGrid':
        """The same cells over an image of another (height, width)."""
        return replace(self, img_shape=(int(img_shape[0]), int(img_shape[1])))

    def coarser(self, cells: int) -> 'MapGrid':
        """Cells of ``cells`` x ``cells`` cells of this grid, from the same corner."""
        return replace(self, stride=self.stride * cells)

    def crop(self, maps: Tensor, batch_shape: Size | None = None) -> Tensor:
        """The image's own cells of a map.

        Args:
            maps: (..., h, w) of the whole input of the network.
            batch_shape: (height, width) of that input without halo, padding at the bottom and right included;
                None if it is the image.

        Raises:
            ValueError: The map is not one of such cells over the input. Cutting it would count a part of the image.
        """
        whole = self.for_image(batch_shape) if batch_shape else self
        if tuple(maps.shape[-2:]) != whole.shape:
            raise ValueError(
                f'an input of {whole.img_shape} px has a map of {whole.shape} cells at stride {self.stride}'
                f'{f" and padding {self.padding}" if self.padding else ""}, but the network gives '
                f'{tuple(maps.shape[-2:])}: stride and window of the codec must be those of the network, and a network '
                'of stride s needs pad_size_divisor=s of its data preprocessor'
            )
        height, width = self.shape
        return maps[..., :height, :width]

    def to_image(self, cells: Tensor) -> Tensor:
        """Cells to pixels.

        Args:
            cells: (N, 2) float, (column, row); the centre of a cell is at integers.

        Returns:
            (N, 2), (x, y) px.

        Example:
            >>> MapGrid((64, 64), stride=8).to_image(torch.tensor([[0.0, 1.0]])).tolist()
            [[3.5, 11.5]]
        """
        return (cells + 0.5) * self.stride + self.origin

    def from_image(self, points: Tensor) -> Tensor:
        """Pixels to cells, the inverse of :meth:`to_image`."""
        return (points - self.origin) / self.stride - 0.5

    def clamp(self, points: Tensor) -> Tensor:
        """(N, 2) points moved into the image, whose last cells may reach over its border."""
        limit = points.new_tensor((self.img_shape[1] - 1, self.img_shape[0] - 1))
        return points.clamp(min=torch.zeros_like(limit), max=limit)

    def units(self, points: Tensor, labels: Tensor, num_classes: int) -> Tensor:
        """A density with one object in the cell of each point.

        Args:
            points: (N, 2) px, (x, y). Those outside of all cells go to the nearest one.
            labels: (N,) int64 in 0..num_classes-1.
            num_classes: C.

        Returns:
            (C, h, w) float32.

        Example:
            >>> MapGrid((3, 5), stride=2).units(torch.tensor([[3.4, 0.6]]), torch.tensor([0]), 1).tolist()
            [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
        """
        height, width = self.shape
        column, row = ((points - self.origin) / self.stride).floor().long().unbind(dim=1)
        # Flat: on a large map an addition by three indices takes several times as long.
        cells = (labels * height + row.clamp(0, height - 1)) * width + column.clamp(0, width - 1)
        density = torch.zeros(num_classes, height, width, device=points.device)
        density.view(-1).index_add_(0, cells, density.new_ones(len(cells)))
        return density


def grid_of_map(img_shape: Size, map_shape: Size, centred: bool = False) -> MapGrid:
    """The grid of a map over a whole input, whose stride is a power of two.

    Args:
        img_shape: (height, width) of the network's input, padding included.
        map_shape: (h, w).
        centred: Whether cells are centred on every s-th pixel from the first one, as those of a ResNet of stride s are,
            whose convolutions pad both sides alike; else they lie side by side from the image's corner.

    Raises:
        ValueError: No power of two gives that map.

    Example:
        >>> grid_of_map((449, 64), (15, 2)).stride
        32
    """
    longest = max(range(2), key=lambda axis: map_shape[axis])
    ratio = img_shape[longest] / map_shape[longest]
    stride = 1
    while stride < ratio:
        stride *= 2
    grid = MapGrid((img_shape[0], img_shape[1]), stride, origin=-stride / 2 if centred else -0.5)
    if grid.shape != tuple(map_shape):
        raise ValueError(
            f'an input of {tuple(img_shape)} px and a map of {tuple(map_shape)} cells have no common stride that is a '
            "power of two: give the data preprocessor pad_size_divisor, the network's stride"
        )
    return grid
