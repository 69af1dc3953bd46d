"""Codecs: ground truth to targets of a network, outputs of a network to counts."""

from .base import CountCodec
from .boxes import (
    BoxAttributeCodec,
    BoxCountCodec,
    CountRegressionCodec,
    DigitCodec,
    LabelCodec,
    ValueCodec,
)
from .maps import (
    BOX_RULES,
    BoxRule,
    DensityCodec,
    DotMapCodec,
    InstanceMapCodec,
    PointProposalCodec,
    RedundantCountCodec,
    ScaleMapCodec,
)

__all__ = [
    'BOX_RULES',
    'BoxAttributeCodec',
    'BoxCountCodec',
    'BoxRule',
    'CountCodec',
    'CountRegressionCodec',
    'DensityCodec',
    'DigitCodec',
    'DotMapCodec',
    'InstanceMapCodec',
    'LabelCodec',
    'PointProposalCodec',
    'RedundantCountCodec',
    'ScaleMapCodec',
    'ValueCodec',
]
