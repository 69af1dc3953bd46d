"""Layers that several counters share."""

from .channel_affine import ChannelAffine
from .conv_unit import ConvUnit
from .count_calibration import CountCalibration, fit_interval_scale, fit_line
from .fft_conv import FFTConv2d
from .fold_norm import fold_norms
from .strided_conv import SpaceToDepthConv2d, space_to_depth_conv2d

__all__ = [
    'ChannelAffine',
    'ConvUnit',
    'CountCalibration',
    'FFTConv2d',
    'SpaceToDepthConv2d',
    'fit_interval_scale',
    'fit_line',
    'fold_norms',
    'space_to_depth_conv2d',
]
