"""Heads: one idea of a paper, one file."""

from .class_map_head import ClassMapHead
from .dense_head import DenseCountHead
from .density_map_head import DensityMapHead
from .image_count_head import ImageCountHead
from .instance_map_head import InstanceMapHead
from .lower_count_head import LowerCountHead
from .pooled_count_head import GlanceHead, PooledCountHead
from .redundant_count_head import RedundantCountHead
from .scale_map_head import ScaleMapHead

__all__ = [
    'ClassMapHead',
    'DenseCountHead',
    'DensityMapHead',
    'GlanceHead',
    'ImageCountHead',
    'InstanceMapHead',
    'LowerCountHead',
    'PooledCountHead',
    'RedundantCountHead',
    'ScaleMapHead',
]
