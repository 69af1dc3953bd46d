"""Heads: one idea of a paper, one file."""

from .dense_head import DenseCountHead
from .density_map_head import DensityMapHead
from .redundant_count_head import RedundantCountHead

__all__ = ['DenseCountHead', 'DensityMapHead', 'RedundantCountHead']
