"""Images of cells as microscopes show them, generated when they are read."""

from .dataset import SyntheticCells
from .options import CellOptions
from .scene import CellScene, make_cell_scene

__all__ = ['CellOptions', 'CellScene', 'SyntheticCells', 'make_cell_scene']
