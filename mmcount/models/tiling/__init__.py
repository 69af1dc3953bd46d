"""Maps of images of any size, computed tile by tile."""

from .map_tiles import MapTiles, tiles_for
from .reach import StrideError, measured_reach
from .tiles import AxisTile, averaged_maps, axis_tiles, shifted_tiles, tiled_maps

__all__ = [
    'AxisTile',
    'MapTiles',
    'StrideError',
    'averaged_maps',
    'axis_tiles',
    'measured_reach',
    'shifted_tiles',
    'tiled_maps',
    'tiles_for',
]
