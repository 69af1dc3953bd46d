"""Evaluation: pure functions in ``functional``, metrics of the runner in ``metrics``."""

from .metrics import (
    BaselineMetric,
    CalibrationMetric,
    ClassAccuracy,
    ClassRMSEMetric,
    CountMetric,
    CountValueMetric,
    DumpCounts,
    FitCalibration,
    GameMetric,
    LocalizationMetric,
    LocountMetric,
    MaskOverlapMetric,
    OneRecordMetric,
    PointingMetric,
    SizeMetric,
    SubitizingMetric,
)

__all__ = [
    'BaselineMetric',
    'CalibrationMetric',
    'ClassAccuracy',
    'ClassRMSEMetric',
    'CountMetric',
    'CountValueMetric',
    'DumpCounts',
    'FitCalibration',
    'GameMetric',
    'LocalizationMetric',
    'LocountMetric',
    'MaskOverlapMetric',
    'OneRecordMetric',
    'PointingMetric',
    'SizeMetric',
    'SubitizingMetric',
]
