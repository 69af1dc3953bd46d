"""Codecs of dense maps."""

from .density import DensityCodec
from .instance_map import InstanceMapCodec
from .instance_rules import BOX_RULES, BoxRule
from .redundant_count import RedundantCountCodec
from .scale_map import ScaleMapCodec

__all__ = ['BOX_RULES', 'BoxRule', 'DensityCodec', 'InstanceMapCodec', 'RedundantCountCodec', 'ScaleMapCodec']
