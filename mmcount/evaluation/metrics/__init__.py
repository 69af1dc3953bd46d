"""Metrics of the MMEngine runner: thin wrappers of the functions in ``mmcount.evaluation.functional``."""

from .base import OneRecordMetric
from .baseline import MeanBaseline
from .class_accuracy import ClassAccuracy
from .count_files import load_calibration
from .count_metric import CountMetric
from .game_metric import GameMetric
from .localization_files import read_heads, read_points, write_heads, write_points
from .localization_metric import LocalizationMetric
from .locount_files import CountedTruth, write_counted_results
from .locount_metric import LocountMetric
from .mask_overlap_metric import MaskOverlapMetric
from .pointing_metric import PointingMetric
from .size_metric import SizeMetric
from .subitizing_metric import SubitizingMetric

__all__ = [
    'ClassAccuracy',
    'CountMetric',
    'CountedTruth',
    'GameMetric',
    'LocalizationMetric',
    'LocountMetric',
    'MaskOverlapMetric',
    'MeanBaseline',
    'OneRecordMetric',
    'PointingMetric',
    'SizeMetric',
    'SubitizingMetric',
    'load_calibration',
    'read_heads',
    'read_points',
    'write_counted_results',
    'write_heads',
    'write_points',
]
