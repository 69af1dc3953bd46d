"""Pure functions behind the metrics: NumPy in, numbers out."""

from .calibration import LineCalibration, fit_line_calibration, fit_scale_calibration
from .counting import (
    bias,
    count_errors,
    error_std,
    errors_by_range,
    interval_coverage,
    mae,
    mean_class_rmse,
    nae,
    rmse,
)
from .game import game, region_density, region_points

__all__ = [
    'LineCalibration',
    'bias',
    'count_errors',
    'error_std',
    'errors_by_range',
    'fit_line_calibration',
    'fit_scale_calibration',
    'game',
    'interval_coverage',
    'mae',
    'mean_class_rmse',
    'nae',
    'region_density',
    'region_points',
    'rmse',
]
