"""Pure functions behind the metrics: NumPy in, numbers out."""

from .box_grid import GRID_THRS, BoxGrid, DetectedBoxes, GridScores, TrueBoxes, score_grid
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
    CrowdPoints,
    box_levels,
    box_sigmas,
    fixed_radii,
    found_points,
    localization_errors,
    precision_recall_f1,
    score_points,
)
from .locount import (
    LOCOUNT_SUBSETS,
    LocountScores,
    Subset,
    count_accuracy,
    locount_scores,
    match_counts,
    outside_masks,
)
from .mask_overlap import average_best_overlap, average_precision, encode_masks, mask_ious, match_masks, remove_pixels
from .pointing import box_containment, ellipse_containment, pointed_boxes
from .scale import box_log_areas, paired_iou, score_sizes, size_errors
from .subitizing import ranked_precision, subitizing_table

__all__ = [
    'GRID_THRS',
    'LOCOUNT_SUBSETS',
    'BoxGrid',
    'CrowdPoints',
    'DetectedBoxes',
    'GridScores',
    'LineCalibration',
    'LocountScores',
    'Subset',
    'TrueBoxes',
    'average_best_overlap',
    'average_precision',
    'bias',
    'box_containment',
    'box_levels',
    'box_log_areas',
    'box_sigmas',
    'class_rmse_table',
    'count_accuracy',
    'count_errors',
    'ellipse_containment',
    'encode_masks',
    'error_std',
    'errors_by_count',
    'errors_by_range',
    'fit_line_calibration',
    'fit_scale_calibration',
    'fixed_radii',
    'found_points',
    'game',
    'interval_coverage',
    'localization_errors',
    'locount_scores',
    'mae',
    'mask_ious',
    'match_counts',
    'match_masks',
    'mean_class_rmse',
    'nae',
    'outside_masks',
    'paired_iou',
    'pointed_boxes',
    'precision_recall_f1',
    'ranked_precision',
    'region_density',
    'region_points',
    'remove_pixels',
    'resampled_std',
    'rmse',
    'round_counts',
    'score_grid',
    'score_points',
    'score_sizes',
    'size_errors',
    'subitizing_table',
]
