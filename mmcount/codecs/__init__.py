"""Codecs: what ground truth becomes for a network, and what the network's output means."""

from .base import CountCodec, CountPrediction
from .density import DensityCodec
from .redundant_count import RedundantCountCodec

__all__ = ['CountCodec', 'CountPrediction', 'DensityCodec', 'RedundantCountCodec']
