"""Hooks of the runner."""

from .config_check_hook import ConfigCheckHook
from .count_calibration_hook import CountCalibrationHook
from .count_visualization_hook import CountVisualizationHook
from .data_init_hook import DataInitHook
from .fitting_weights_hook import FittingWeightsHook
from .prepare_inference_hook import PrepareInferenceHook
from .random_state_hook import RandomStateHook
from .throughput_hook import ThroughputHook
from .training_stage_hook import TrainingStageHook

__all__ = [
    'ConfigCheckHook',
    'CountCalibrationHook',
    'CountVisualizationHook',
    'DataInitHook',
    'FittingWeightsHook',
    'PrepareInferenceHook',
    'RandomStateHook',
    'ThroughputHook',
    'TrainingStageHook',
]
