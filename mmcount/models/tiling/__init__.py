"""Maps of images of any size, computed tile by tile."""

from .map_tiles import MapTiles, network_context
from .reach import StrideError, measured_reach
from .tiles import AxisTile, averaged_maps, axis_tiles, shifted_tiles, tiled_map, tiled_maps

__all__ = [
    'AxisTile',
    'MapTiles',
    'StrideError',
    'averaged_maps',
    'axis_tiles',
    'measured_reach',
    'network_context',
    'shifted_tiles',
    'tiled_map',
    'tiled_maps',
]
