"""Pure functions behind the metrics: NumPy in, numbers out."""

from .calibration import LineCalibration, fit_line_calibration, fit_scale_calibration
from .class_rmse import class_rmse_table, mean_class_rmse, resampled_std, round_counts
from .counting import (
    bias,
    count_errors,
    error_std,
    errors_by_count,
    errors_by_range,
    interval_coverage,
    mae,
    nae,
    rmse,
)
from .game import game, region_density, region_points
from .localization import (
    Heads,
    box_levels,
    box_sigmas,
    fixed_radii,
    found_heads,
    localization_errors,
    precision_recall_f1,
    score_points,
)
from .mask_overlap import average_best_overlap, average_precision, encode_masks, mask_ious, match_masks, remove_pixels

__all__ = [
    'Heads',
    'LineCalibration',
    'average_best_overlap',
    'average_precision',
    'bias',
    'box_levels',
    'box_sigmas',
    'class_rmse_table',
    'count_errors',
    'encode_masks',
    'error_std',
    'errors_by_count',
    'errors_by_range',
    'fit_line_calibration',
    'fit_scale_calibration',
    'fixed_radii',
    'found_heads',
    'game',
    'interval_coverage',
    'localization_errors',
    'mae',
    'mask_ious',
    'match_masks',
    'mean_class_rmse',
    'nae',
    'precision_recall_f1',
    'region_density',
    'region_points',
    'remove_pixels',
    'resampled_std',
    'rmse',
    'round_counts',
    'score_points',
]
