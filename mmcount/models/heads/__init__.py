"""Heads: one idea of a paper, one file."""

from .dense_head import DenseCountHead
from .density_map_head import DensityMapHead
from .image_count_head import ImageCountHead
from .lower_count_head import LowerCountHead
from .pooled_count_head import GlanceHead, PooledCountHead
from .redundant_count_head import RedundantCountHead

__all__ = [
    'DenseCountHead',
    'DensityMapHead',
    'GlanceHead',
    'ImageCountHead',
    'LowerCountHead',
    'PooledCountHead',
    'RedundantCountHead',
]
