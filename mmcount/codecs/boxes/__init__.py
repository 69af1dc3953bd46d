"""Codecs of attributes of boxes, such as counts."""

from .attributes import LabelCodec, ValueCodec
from .box_attribute import BoxAttributeCodec
from .digits import BoxCountCodec, CountRegressionCodec, DigitCodec

__all__ = [
    'BoxAttributeCodec',
    'BoxCountCodec',
    'CountRegressionCodec',
    'DigitCodec',
    'LabelCodec',
    'ValueCodec',
]
