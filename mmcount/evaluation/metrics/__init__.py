"""Metrics of the MMEngine runner: thin wrappers of the functions in ``mmcount.evaluation.functional``."""

from .base import OneRecordMetric
from .baseline import MeanBaseline
from .count_metric import CountMetric, load_calibration
from .game_metric import GameMetric

__all__ = ['CountMetric', 'GameMetric', 'MeanBaseline', 'OneRecordMetric', 'load_calibration']
