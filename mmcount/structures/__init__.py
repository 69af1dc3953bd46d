"""Data samples, their box types, and the grid and prediction that counters write into them."""

from .count_data_sample import CountDataSample
from .counted_boxes import CountedBoxes
from .map_grid import Extent, MapGrid, grid_of_map
from .objects import Objects
from .point_boxes import PointBoxes
from .prediction import CountPrediction

__all__ = [
    'CountDataSample',
    'CountPrediction',
    'CountedBoxes',
    'Extent',
    'MapGrid',
    'Objects',
    'PointBoxes',
    'grid_of_map',
]
