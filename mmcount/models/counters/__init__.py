"""Counters: whole models that the runner trains and tests."""

from .clcnet import CLCNet
from .count_and_point import CountAndPoint
from .count_then_point import CountThenPoint
from .counting_detector import CountingDetector
from .counting_tta import CountingTTAModel
from .dense_counter import DenseCounter
from .detector_config import load_model_config, resolve_detector
from .detector_limits import detection_cap
from .fitted_counter import FittedCounter
from .point_then_count import PointThenCount

__all__ = [
    'CLCNet',
    'CountAndPoint',
    'CountThenPoint',
    'CountingDetector',
    'CountingTTAModel',
    'DenseCounter',
    'FittedCounter',
    'PointThenCount',
    'detection_cap',
    'load_model_config',
    'resolve_detector',
]
