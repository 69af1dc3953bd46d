"""Whole-image maps of convolutional counters, computed tile by tile without any difference."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmcount.structures import CountDataSample

#: Normalisation whose values depend on all of the input, so that a tile cannot know them.
WHOLE_IMAGE_NORMS = (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


class AxisTile(NamedTuple):
    """One tile along one axis.

    Args:
        start: First input pixel; a multiple of the stride.
        stop: One past the last input pixel.
        first: First cell of the map that the tile fills.
        last: One past the last.
        skip: Cells at the start of the tile's own map that belong to its neighbour.
    """

    start: int
    stop: int
    first: int
    last: int
    skip: int


def axis_tiles(size: int, tile: int, stride: int, shrink: int, ring: int) -> list[AxisTile]:
    """Split one axis into tiles that together give exactly the map of the whole.

    A cell of the map depends on ``shrink + 1`` input pixels, and through the zero padding of inner layers on whether a
    border is within ``ring`` cells. A tile therefore brings ``ring`` pixels more than it needs, and the cells that saw
    the zeros at its own edge are thrown away. At the borders of the image there is nothing more to bring, and the
    zeros are right.

    Args:
        size: Input pixels, halo included.
        tile: Largest number of pixels that the cells of a tile span; tiles are evened out below it.
        stride: s, pixels between two cells.
        shrink: Pixels by which the map at stride 1 is smaller than the input.
        ring: Cells from an edge that zero padding inside the network reaches.

    Raises:
        ValueError: the tile is smaller than the stride, or the input than the network's window.

    Example:
        >>> axis_tiles(size=100, tile=40, stride=4, shrink=32, ring=6)
        [AxisTile(start=0, stop=67, first=0, last=8, skip=0), AxisTile(start=24, stop=100, first=8, last=17, skip=2)]
    """
    if tile < stride:
        raise ValueError(f'tile must be at least the stride {stride}, got {tile}')
    cells = -(-(size - shrink) // stride)
    if cells < 1:
        raise ValueError(f'the input has {size} pixels on a side, the network needs at least {shrink + 1}')
    count = -(-cells // (tile // stride))
    edges = [index * cells // count for index in range(count + 1)]
    tiles = []
    for first, last in pairwise(edges):
        start = max(0, (first * stride - ring) // stride * stride)
        stop = min(size, (last - 1) * stride + 1 + shrink + ring)
        tiles.append(AxisTile(start, stop, first, last, first - start // stride))
    return tiles


def tiled_map(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    context: tuple[int, int],
    stride: int = 1,
    tile: int = 256,
    batch_size: int = 1,
) -> Tensor:
    """``network(inputs)``, one tile after the other.

    Args:
        network: (b, C, H', W') -> (b, K, h', w'), convolutions of one overall stride.
        inputs: (B, C, H, W), halo included.
        context: ``(shrink, ring)`` of the network, see :func:`axis_tiles`.
        stride: s of the network.
        tile: Largest side of a tile, pixels.
        batch_size: Tiles of one shape that run together.

    Returns:
        (B, K, h, w). Beside it and the input, memory depends on ``tile`` and ``batch_size`` only.
    """
    rows = axis_tiles(inputs.shape[2], tile, stride, *context)
    columns = axis_tiles(inputs.shape[3], tile, stride, *context)
    by_shape: dict[tuple[int, int], list[tuple[int, AxisTile, AxisTile]]] = {}
    for index in range(len(inputs)):
        for row in rows:
            for column in columns:
                shape = row.stop - row.start, column.stop - column.start
                by_shape.setdefault(shape, []).append((index, row, column))
    out: Tensor | None = None
    for tiles in by_shape.values():
        for begin in range(0, len(tiles), batch_size):
            group = tiles[begin : begin + batch_size]
            maps = network(torch.stack([inputs[i, :, r.start : r.stop, c.start : c.stop] for i, r, c in group]))
            if out is None:
                out = maps.new_empty(len(inputs), maps.shape[1], rows[-1].last, columns[-1].last)
            for one, (i, r, c) in zip(maps, group, strict=True):
                own = one[:, r.skip : r.skip + r.last - r.first, c.skip : c.skip + c.last - c.first]
                out[i, :, r.first : r.last, c.first : c.last] = own
    assert out is not None
    return out


def network_context(model: nn.Module) -> tuple[int, int]:
    """``(shrink, ring)`` of a model whose map can be computed in tiles.

    Raises:
        ValueError: the model needs the whole image; says why.
    """
    name = type(model).__name__
    if model.training:
        raise ValueError(f'{name} is in training mode: call eval() first')
    backbone: Any = getattr(model, 'backbone', None)
    head: Any = getattr(model, 'head', None)
    context = getattr(backbone, 'context', None)
    if context is None:
        raise ValueError(
            f'{name} needs the whole image: its backbone {type(backbone).__name__} does not declare a context, the '
            '(shrink, ring) of mmcount.apis.tiling.axis_tiles'
        )
    if getattr(model, 'neck', None) is not None:
        raise ValueError(f'{name} needs the whole image: its neck {type(model.neck).__name__} is not known to be local')
    if any(isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1) for one in head.modules()):
        raise ValueError(f'{name} needs the whole image: its head {type(head).__name__} looks beyond one cell')
    for one in model.modules():
        batch_statistics = isinstance(one, _BatchNorm) and (one.training or not one.track_running_stats)
        if isinstance(one, WHOLE_IMAGE_NORMS) or batch_statistics:
            raise ValueError(f'{name} needs the whole image: {type(one).__name__} normalises over all of it')
    return context


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
    model: nn.Module, inputs: Tensor, data_samples: list[CountDataSample], tile: int = 256, batch_size: int = 1
) -> list[CountDataSample]:
    """``model.predict(inputs, data_samples)`` in tiles: see :class:`TiledDenseInference`."""
    return TiledDenseInference(model, tile, batch_size).predict(inputs, data_samples)
