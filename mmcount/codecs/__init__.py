"""Codecs: what ground truth becomes for a network, and what the network's output means."""

from .base import CountCodec, CountPrediction
from .density import DensityCodec
from .instance_map import InstanceMapCodec
from .instance_rules import BOX_RULES, BoxRule
from .redundant_count import RedundantCountCodec

__all__ = [
    'BOX_RULES',
    'BoxRule',
    'CountCodec',
    'CountPrediction',
    'DensityCodec',
    'InstanceMapCodec',
    'RedundantCountCodec',
]
