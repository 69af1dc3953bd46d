"""Learned thresholds, and the comparison that passes gradients to them."""

from .functional import binarize, compressed_sigmoid
from .thresholds import FixedThreshold, ImageThreshold, LearnedThreshold, PixelThreshold, ThresholdModule

__all__ = [
    'FixedThreshold',
    'ImageThreshold',
    'LearnedThreshold',
    'PixelThreshold',
    'ThresholdModule',
    'binarize',
    'compressed_sigmoid',
]
