"""Codecs: what ground truth becomes for a network, and what the network's output means."""

from .attributes import LabelCodec, ValueCodec
from .base import CountCodec, CountPrediction
from .box_attribute import BoxAttributeCodec
from .density import DensityCodec
from .digits import BoxCountCodec, CountRegressionCodec, DigitCodec
from .instance_map import InstanceMapCodec
from .instance_rules import BOX_RULES, BoxRule
from .redundant_count import RedundantCountCodec
from .scale_map import ScaleMapCodec

__all__ = [
    'BOX_RULES',
    'BoxAttributeCodec',
    'BoxCountCodec',
    'BoxRule',
    'CountCodec',
    'CountPrediction',
    'CountRegressionCodec',
    'DensityCodec',
    'DigitCodec',
    'InstanceMapCodec',
    'LabelCodec',
    'RedundantCountCodec',
    'ScaleMapCodec',
    'ValueCodec',
]
