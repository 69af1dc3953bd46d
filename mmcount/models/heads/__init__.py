"""Heads: one idea of a paper, one file."""

from .class_map_head import ClassMapHead
from .count_head import CountHead
from .dense_head import DenseCountHead, MapLossHead
from .density_map_head import DensityMapHead
from .distribution_matching_head import DistributionMatchingHead
from .image_count_head import ImageCountHead
from .instance_map_head import InstanceMapHead
from .lower_count_head import LowerCountHead
from .point_proposal_head import PointProposalHead
from .pooled_count_head import GlanceHead, PooledCountHead
from .redundant_count_head import RedundantCountHead
from .scale_map_head import ScaleMapHead

__all__ = [
    'ClassMapHead',
    'CountHead',
    'DenseCountHead',
    'DensityMapHead',
    'DistributionMatchingHead',
    'GlanceHead',
    'ImageCountHead',
    'InstanceMapHead',
    'LowerCountHead',
    'MapLossHead',
    'PointProposalHead',
    'PooledCountHead',
    'RedundantCountHead',
    'ScaleMapHead',
]
