"""How good a count is: pure functions in ``functional``, metrics of the runner in ``metrics``."""

from .metrics import (
    CountMetric,
    GameMetric,
    LocalizationMetric,
    LocountMetric,
    MaskOverlapMetric,
    MeanBaseline,
    OneRecordMetric,
    load_calibration,
)

__all__ = [
    'CountMetric',
    'GameMetric',
    'LocalizationMetric',
    'LocountMetric',
    'MaskOverlapMetric',
    'MeanBaseline',
    'OneRecordMetric',
    'load_calibration',
]
