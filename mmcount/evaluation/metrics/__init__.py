"""Metrics of the MMEngine runner: thin wrappers of the functions in ``mmcount.evaluation.functional``."""

from .base import OneRecordMetric, Record
from .baseline_metric import BaselineMetric
from .calibration_metric import CalibrationMetric, FitCalibration
from .class_accuracy import ClassAccuracy
from .class_rmse_metric import ClassRMSEMetric
from .count_files import load_calibration
from .count_metric import CountMetric
from .count_record import CountRecordMetric
from .count_value_metric import CountValueMetric
from .dump_counts import DumpCounts
from .game_metric import GameMetric
from .localization_files import read_crowd_points, read_points, write_crowd_points, write_points
from .localization_metric import LocalizationMetric
from .locount_files import CountedTruth, write_counted_results
from .locount_metric import LocountMetric
from .mask_overlap_metric import MaskOverlapMetric
from .pointing_metric import PointingMetric
from .size_metric import SizeMetric
from .subitizing_metric import SubitizingMetric

__all__ = [
    'BaselineMetric',
    'CalibrationMetric',
    'ClassAccuracy',
    'ClassRMSEMetric',
    'CountMetric',
    'CountRecordMetric',
    'CountValueMetric',
    'CountedTruth',
    'DumpCounts',
    'FitCalibration',
    'GameMetric',
    'LocalizationMetric',
    'LocountMetric',
    'MaskOverlapMetric',
    'OneRecordMetric',
    'PointingMetric',
    'Record',
    'SizeMetric',
    'SubitizingMetric',
    'load_calibration',
    'read_crowd_points',
    'read_points',
    'write_counted_results',
    'write_crowd_points',
    'write_points',
]
