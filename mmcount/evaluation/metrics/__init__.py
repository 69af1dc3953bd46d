"""Metrics of the MMEngine runner: thin wrappers of the functions in ``mmcount.evaluation.functional``."""

from .base import OneRecordMetric
from .baseline import MeanBaseline
from .count_files import load_calibration
from .count_metric import CountMetric
from .game_metric import GameMetric
from .localization_files import read_heads, read_points, write_heads, write_points
from .localization_metric import LocalizationMetric
from .mask_overlap_metric import MaskOverlapMetric

__all__ = [
    'CountMetric',
    'GameMetric',
    'LocalizationMetric',
    'MaskOverlapMetric',
    'MeanBaseline',
    'OneRecordMetric',
    'load_calibration',
    'read_heads',
    'read_points',
    'write_heads',
    'write_points',
]
