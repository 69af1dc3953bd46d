"""Layers that several counters share."""

from .channel_affine import ChannelAffine
from .confidence_predictor import ConfidencePredictor
from .conv_unit import ConvUnit
from .count_calibration import CountCalibration, fit_interval_scale, fit_line
from .fft_conv import FFTConv2d
from .fold_norm import fold_norms
from .layer_taps import layer_taps
from .spatial_channel_attention import SpatialChannelAttention
from .strided_conv import SpaceToDepthConv2d, space_to_depth_conv2d

__all__ = [
    'ChannelAffine',
    'ConfidencePredictor',
    'ConvUnit',
    'CountCalibration',
    'FFTConv2d',
    'SpaceToDepthConv2d',
    'SpatialChannelAttention',
    'fit_interval_scale',
    'fit_line',
    'fold_norms',
    'layer_taps',
    'space_to_depth_conv2d',
]
