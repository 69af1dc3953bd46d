"""Whole-image maps of convolutional counters, computed tile by tile without any difference."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from mmcount.models.tiling import MapTiles, StrideError, axis_tiles, network_context, tiled_map
from mmcount.structures import CountDataSample

__all__ = ['TiledDenseInference', 'axis_tiles', 'network_context', 'tiled_map', 'tiled_predict', 'tiles_for']


class TiledDenseInference:
    """The map of a :class:`mmcount.models.DenseCounter` for images of any size.

    Overlapping patches that are averaged or cut give other values near their seams; here every cell is what the whole
    image would give, up to rounding.

    Args:
        model: In evaluation mode; its backbone declares ``context`` and its head is a 1x1 layer.
        tile: Largest side of a tile in input pixels: about 256 on a CPU, 512 to 1024 on a GPU.
        batch_size: Tiles of one shape that run together.

    Raises:
        ValueError: the model needs the whole image.

    Example:
        >>> from mmcount.models import DenseCounter
        >>> codec = dict(type='mmcount.RedundantCountCodec', window_size=8)
        >>> model = DenseCounter(
        ...     backbone=dict(type='mmcount.CountCeption', window_size=8, padding=0),
        ...     head=dict(type='mmcount.RedundantCountHead', codec=codec),
        ...     data_preprocessor=dict(type='mmcount.CountDataPreprocessor', halo=8),
        ... )
        >>> TiledDenseInference(model.eval(), tile=32)(torch.zeros(3, 50, 40, dtype=torch.uint8)).shape
        torch.Size([1, 58, 48])
    """

    def __init__(self, model: nn.Module, tile: int = 256, batch_size: int = 1) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.context = network_context(model)
        self.model = model
        self.tile = tile
        self.batch_size = batch_size

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        """(C, H, W) uint8 image, without halo -> (K, h, w) map."""
        return self.maps(self.model.data_preprocessor(dict(inputs=[image]))['inputs'])[0]

    @torch.no_grad()
    def maps(self, inputs: Tensor) -> Tensor:
        """(B, C, H, W) normalised images with their halo -> (B, K, h, w) float32 maps."""
        stride = getattr(self.model.backbone, 'stride', 1)
        maps = tiled_map(self.model, inputs, self.context, stride, self.tile, self.batch_size)
        return maps.float()

    @torch.no_grad()
    def predict(self, inputs: Tensor, data_samples: list[CountDataSample]) -> list[CountDataSample]:
        """What ``model.predict`` gives for the same arguments.

        Args:
            inputs: (B, C, H, W) normalised images with their halo.
            data_samples: One per image, with ``img_shape``.
        """
        model, stride = self.model, self.model.test_cfg.get('stride')
        with model.at_stride(stride):
            maps = self.maps(inputs)
        return model.write_predictions(model.head.decode(maps, data_samples, stride), data_samples)


def tiled_predict(
    model: nn.Module,
    inputs: Tensor,
    data_samples: list[CountDataSample],
    tile: int | tuple[int, int] | MapTiles = 256,
    batch_size: int = 1,
) -> list[CountDataSample]:
    """``model.predict(inputs, data_samples)`` in tiles, without any difference.

    Args:
        model: A :class:`mmcount.models.DenseCounter` in evaluation mode.
        inputs: (B, C, H, W) normalised images with their halo.
        data_samples: One per image, with ``img_shape``.
        tile: Largest side, or height and width, that the network sees at once, pixels; or how to divide the images.
        batch_size: Tiles of one shape that run together.

    Raises:
        ValueError: The model cannot be tiled; says why.
    """
    tiles = tile if isinstance(tile, MapTiles) else MapTiles('exact', tile, batch_size=batch_size)
    with torch.no_grad():
        return model.predict(inputs, data_samples, tiles=tiles)


def tiles_for(
    model: nn.Module, tile: int | tuple[int, int] | None, mode: Literal['exact', 'average'] = 'exact'
) -> MapTiles | None:
    """How to divide images for a model, checked; None for no ``tile``.

    The divisor is that of ``test_cfg.tiles`` of the model or of its data preprocessor, or else 32. Where that is no
    multiple of all strides of the network, as with the 16 that HRNet was published with, exact tiles take the next one
    that 32 divides too.

    Raises:
        ValueError: The model cannot be tiled so; says why.
    """
    if tile is None:
        return None
    own = getattr(model, 'tiles', None)
    divisor = own.divisor if own else getattr(model.data_preprocessor, 'pad_size_divisor', 1)
    tiles = MapTiles(mode, tile, divisor if divisor > 1 else 32)
    try:
        tiles.check(model)
    except StrideError:
        tiles = MapTiles(mode, tile, math.lcm(tiles.divisor, 32))
        tiles.check(model)
    return tiles
