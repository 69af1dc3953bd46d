"""Where tiles lie, and how their maps become those of the whole image."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor


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


def shifted_tiles(size: int, tile: int) -> list[tuple[int, int]]:
    """(start, stop) of tiles of one length, side by side, of which the last is moved back into the image.

    Example:
        >>> shifted_tiles(1200, 512), shifted_tiles(300, 512)
        ([(0, 512), (512, 1024), (688, 1200)], [(0, 300)])
    """
    starts = [max(min(size - tile, start), 0) for start in range(0, size, tile)]
    return [(start, min(start + tile, size)) for start in starts]


Place = tuple[int, int, int]


def _batches(
    inputs: Tensor, rows: Sequence[tuple[int, int]], columns: Sequence[tuple[int, int]], batch_size: int
) -> Iterator[tuple[list[Place], Tensor]]:
    """(image, row, column) of the tiles of one shape, and their (b, C, H', W') input."""
    by_shape: dict[tuple[int, int], list[Place]] = {}
    for index in range(len(inputs)):
        for row, (top, bottom) in enumerate(rows):
            for column, (left, right) in enumerate(columns):
                by_shape.setdefault((bottom - top, right - left), []).append((index, row, column))
    for places in by_shape.values():
        for begin in range(0, len(places), batch_size):
            group = places[begin : begin + batch_size]
            yield group, torch.stack([inputs[i, :, slice(*rows[r]), slice(*columns[c])] for i, r, c in group])


def tiled_maps(
    network: Callable[[Tensor], tuple[Tensor, ...]],
    inputs: Tensor,
    rows: Sequence[AxisTile],
    columns: Sequence[AxisTile],
    divisor: int | None = None,
    batch_size: int = 1,
) -> tuple[Tensor, ...]:
    """``network(inputs)``, each tile filling its own cells.

    Args:
        network: (b, C, H', W') -> maps (b, K, h', w'), each with its own K and stride.
        inputs: (B, C, H, W).
        rows: Tiles along H.
        columns: Tiles along W.
        divisor: Input pixels of a cell, a multiple of all strides of the maps; None where a cell is a pixel of the
            map.
        batch_size: Tiles of one shape that run together.

    Returns:
        (B, K, h, w) each.

    Raises:
        ValueError: A map has not a whole number of pixels in each cell.
    """
    out: list[Tensor] = []
    extents = [(one.start, one.stop) for one in rows], [(one.start, one.stop) for one in columns]
    for group, tile in _batches(inputs, *extents, batch_size):
        maps = network(tile)
        scales = [_pixels_per_cell(one, tile, divisor) for one in maps]
        if not out:
            cells = rows[-1].last, columns[-1].last
            shapes = [(one.shape[1], cells[0] * s, cells[1] * s) for one, s in zip(maps, scales, strict=True)]
            out = [one.new_empty(len(inputs), *shape) for one, shape in zip(maps, shapes, strict=True)]
        for canvas, map_, s in zip(out, maps, scales, strict=True):
            for own, (i, r, c) in zip(map_, group, strict=True):
                row, column = rows[r], columns[c]
                height, width = (row.last - row.first) * s, (column.last - column.first) * s
                canvas[i, :, row.first * s : row.last * s, column.first * s : column.last * s] = own[
                    :, row.skip * s : row.skip * s + height, column.skip * s : column.skip * s + width
                ]
    return tuple(out)


def _pixels_per_cell(map_: Tensor, tile: Tensor, divisor: int | None) -> int:
    if divisor is None:
        return 1
    pixels = map_.shape[2] * divisor // tile.shape[2]
    if any(tile.shape[axis] * pixels != map_.shape[axis] * divisor for axis in (2, 3)) or pixels < 1:
        raise ValueError(
            f'a tile of {tuple(tile.shape[2:])} px gives a map of {tuple(map_.shape[2:])}, which is not a whole number '
            f'of pixels in every {divisor} px: the divisor must be a multiple of the stride of the map'
        )
    return pixels


def averaged_maps(
    network: Callable[[Tensor], tuple[Tensor, ...]],
    inputs: Tensor,
    size: tuple[int, int],
    divisor: int,
    batch_size: int = 1,
) -> tuple[Tensor, ...]:
    """The means of the maps of tiles that overlap only at the end of each axis, as IIM infers (Gao et al., 2020).

    How many tiles saw a pixel is a product of two numbers, one for its row and one for its column, so that no mask of
    the size of the image is needed.

    Args:
        network: (b, C, H', W') -> maps (b, K, h', w'), each with its own K and stride.
        inputs: (B, C, H, W), both sides multiples of ``divisor``.
        size: Height and width of a tile, multiples of ``divisor``.
        divisor: A multiple of all strides of the network, pixels.
        batch_size: Tiles of one shape that run together.

    Returns:
        (B, K, h, w) each. Near the seams they are not those of the whole image: see :func:`tiled_maps`.
    """
    rows, columns = shifted_tiles(inputs.shape[2], size[0]), shifted_tiles(inputs.shape[3], size[1])
    sums: list[Tensor] = []
    for group, tile in _batches(inputs, rows, columns, batch_size):
        maps = network(tile)
        scales = [_pixels_per_cell(one, tile, divisor) for one in maps]
        if not sums:
            shapes = [
                (one.shape[1], inputs.shape[2] * s // divisor, inputs.shape[3] * s // divisor)
                for one, s in zip(maps, scales, strict=True)
            ]
            sums = [one.new_zeros(len(inputs), *shape) for one, shape in zip(maps, shapes, strict=True)]
        for canvas, map_, s in zip(sums, maps, scales, strict=True):
            for own, (i, r, c) in zip(map_, group, strict=True):
                top, left = rows[r][0] * s // divisor, columns[c][0] * s // divisor
                canvas[i, :, top : top + own.shape[1], left : left + own.shape[2]] += own
    for canvas in sums:
        canvas /= _hits(rows, inputs.shape[2], canvas.shape[2]).to(canvas)[:, None]
        canvas /= _hits(columns, inputs.shape[3], canvas.shape[3]).to(canvas)
    return tuple(sums)


def _hits(tiles: Sequence[tuple[int, int]], size: int, pixels: int) -> Tensor:
    """(pixels,) number of tiles over each pixel of a map along one axis of ``size`` input pixels."""
    hits = torch.zeros(pixels)
    for start, stop in tiles:
        hits[start * pixels // size : stop * pixels // size] += 1
    return hits
