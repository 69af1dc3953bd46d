"""Codecs of dense maps."""

from .density import DensityCodec
from .dot_map import DotMapCodec
from .instance_map import InstanceMapCodec
from .instance_rules import BOX_RULES, BoxRule
from .point_proposals import PointProposalCodec
from .redundant_count import RedundantCountCodec
from .scale_map import ScaleMapCodec

__all__ = [
    'BOX_RULES',
    'BoxRule',
    'DensityCodec',
    'DotMapCodec',
    'InstanceMapCodec',
    'PointProposalCodec',
    'RedundantCountCodec',
    'ScaleMapCodec',
]
