"""Base class of codecs of maps: ground truth to targets of a network, its maps to counts."""

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction


class CountCodec(ABC):
    """Base class of codecs: one object, shared by the pipeline (encode) and the head (decode).

    Args:
        num_classes: C.
        stride: Input pixels between two cells of the maps.

    Attributes:
        padding: Pixels by which the map of a whole image exceeds it, both sides together.
        origin: Left and top edge of the first cell of a whole image, pixels.
        counts_points: Whether each object that ``decode`` counts is one of its points.
        mass_per_object: Sum of the target map for one object.

    Raises:
        ValueError: ``num_classes`` or ``stride`` is below 1.
    """

    padding: int = 0
    origin: float = -0.5
    counts_points: bool = False
    mass_per_object: float = 1.0

    def __init__(self, num_classes: int = 1, stride: int = 1) -> None:
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        if stride < 1:
            raise ValueError(f'stride must be at least 1, got {stride}')
        self.num_classes = num_classes
        self.stride = stride

    @property
    def halo(self) -> int:
        """Pixels of context on every side that the network sees beyond the image: zeros, or what a crop brings."""
        return 0

    def grid(self, img_shape: tuple[int, int], halo: int = 0) -> MapGrid:
        """The cells of the maps of an image.

        Args:
            img_shape: (height, width), the halo of a crop included.
            halo: Context that a crop brings: 0 or :attr:`halo`. Its map covers what lies inside.

        Raises:
            ValueError: The halo is another.
        """
        if halo not in (0, self.halo):
            needed = f'a halo of {self.halo} px' if self.halo else 'no halo'
            raise ValueError(
                f'{type(self).__name__} needs crops with {needed}, got {halo} px: give HaloCrop the codec of the target'
            )
        height, width = img_shape
        return MapGrid((height, width), self.stride, self.padding - 2 * halo, self.origin + halo)

    def encode(self, objects: Objects, grid: MapGrid) -> dict[str, NDArray[Any]]:
        """Target maps of one image.

        Args:
            objects: In pixels of the input; they may lie outside of it.
            grid: Of the image, from :meth:`grid`.

        Returns:
            Maps (K, h, w) of the grid by name, ``data`` the main one; none here: the head reads the objects themselves.
        """
        return {}

    @abstractmethod
    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """Counts, places and density of one image.

        Args:
            maps: The image's own cells of each map of the head, (K, h, w).
            grid: Of the image, from :meth:`grid`.
            known: Objects that are given, for methods that find none themselves.
        """

    def __repr__(self) -> str:
        options = ', '.join(f'{key}={value!r}' for key, value in sorted(vars(self).items()))
        return f'{type(self).__name__}({options})'


def build_codec(codec: CountCodec | dict) -> CountCodec:
    """A codec of maps, or its config, to the codec.

    Raises:
        TypeError: It is another kind of object.
    """
    built = CODECS.build(codec) if isinstance(codec, dict) else codec
    if not isinstance(built, CountCodec):
        raise TypeError(f'codec must be a CountCodec or its config, got {type(built).__name__}')
    return built


def checked_map(maps: tuple[Tensor, ...], grid: MapGrid, num_classes: int) -> Tensor:
    """The only map of a codec of one map, (C, h, w) float32.

    Raises:
        ValueError: There are more maps, or it has another shape.
    """
    expected = [(num_classes, *grid.shape)]
    found = [tuple(one.shape) for one in maps]
    if found != expected:
        raise ValueError(
            f'an image of {grid.img_shape} has a map of {expected[0]} at stride {grid.stride}, got '
            f'{found[0] if len(found) == 1 else found}'
        )
    return maps[0].float()
