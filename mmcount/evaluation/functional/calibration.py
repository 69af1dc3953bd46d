"""Correct a constant over- or under-count with a line fitted on other images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .counting import _flat_pair


@dataclass(frozen=True)
class LineCalibration:
    """``true = slope * pred + offset``, with the offset in objects.

    Example:
        >>> LineCalibration(slope=2.0, offset=1.0).apply([3.0]).tolist()
        [7.0]
    """

    slope: float
    offset: float

    def apply(self, pred: ArrayLike) -> NDArray[np.float64]:
        """Corrected counts, of the shape of ``pred``; never below zero objects."""
        return np.maximum(self.slope * np.asarray(pred, dtype=np.float64) + self.offset, 0.0)


def fit_line_calibration(pred: ArrayLike, true: ArrayLike) -> LineCalibration:
    """Least-squares line from predicted to true counts.

    One image, or predictions that are all alike, say nothing about a slope: the slope stays 1 and only the mean is
    corrected.

    Shape:
        pred, true: (T,), T >= 1.

    Raises:
        ValueError: The shapes differ, there is no image, or a count is not finite.

    Example:
        >>> line = fit_line_calibration(pred=[1, 2, 3], true=[3, 5, 7])
        >>> round(line.slope, 9), round(line.offset, 9)
        (2.0, 1.0)
        >>> fit_line_calibration(pred=[4, 4], true=[5, 7])
        LineCalibration(slope=1.0, offset=2.0)
    """
    pred_array, true_array = _flat_pair(pred, true)
    pred_mean, true_mean = pred_array.mean(), true_array.mean()
    spread = pred_array - pred_mean
    # The threshold is relative: predictions that differ in the last float32 digits only are alike.
    if np.abs(spread).max() <= 1e-6 * max(1.0, np.abs(pred_array).max()):
        return LineCalibration(1.0, float(true_mean - pred_mean))
    slope = float(spread @ (true_array - true_mean) / (spread @ spread))
    return LineCalibration(slope, float(true_mean - slope * pred_mean))


def fit_scale_calibration(pred: ArrayLike, true: ArrayLike) -> LineCalibration:
    """Least-squares factor from predicted to true counts; keeps zero at zero.

    Predictions that are all zero say nothing about a factor, which then stays 1.

    Shape:
        pred, true: (T,), T >= 1.

    Example:
        >>> fit_scale_calibration(pred=[1, 2], true=[2, 4])
        LineCalibration(slope=2.0, offset=0.0)
    """
    pred_array, true_array = _flat_pair(pred, true)
    energy = float(pred_array @ pred_array)
    return LineCalibration(float(pred_array @ true_array) / energy if energy > 0 else 1.0, 0.0)
