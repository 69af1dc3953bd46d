"""A line from predicted to true counts, and the width of the interval, both fitted on validation images."""

import numpy as np
import torch
from torch import Tensor, nn


def fit_line(predicted: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Least-squares ``true = scale * predicted + offset``.

    Args:
        predicted: (n,) counts.
        true: (n,) counts.

    Returns:
        scale and offset. Where the predictions do not differ, or would be ordered the other way round by the line,
        the scale stays 1 and only the mean is moved; without images, ``(1, 0)``.

    Example:
        >>> [round(value, 6) for value in fit_line(np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0, 7.0]))]
        [2.0, 1.0]
    """
    if len(predicted) == 0:
        return 1.0, 0.0
    centred = predicted - predicted.mean()
    variance = float((centred**2).mean())
    scale = float((centred * (true - true.mean())).mean()) / variance if variance > 1e-12 else 1.0
    if scale <= 0:
        scale = 1.0
    return scale, float(true.mean() - scale * predicted.mean())


def fit_interval_scale(errors: np.ndarray, spreads: np.ndarray, coverage: float) -> float:
    """The factor on the spread that covers a share of the errors (split conformal prediction).

    Args:
        errors: (n,) |calibrated - true|, objects.
        spreads: (n,) spread of the redundant estimates, objects.
        coverage: Share of unseen images whose true count shall lie in the interval, in (0, 1).

    Returns:
        The ``ceil((n + 1) * coverage)``-th smallest ratio of error to spread; infinite if n is too small for
        that, as no factor is known to hold the share then.

    Example:
        >>> fit_interval_scale(np.array([1.0, 2.0, 3.0]), np.ones(3), coverage=0.5)
        2.0
    """
    ratios = np.sort(errors / np.maximum(spreads, 1e-6))
    if len(ratios) == 0:
        raise ValueError('no validation image with a spread to fit the interval on')
    rank = int(np.ceil((len(ratios) + 1) * coverage))
    return float(ratios[rank - 1]) if rank <= len(ratios) else float('inf')


class CountCalibration(nn.Module):
    """Line and interval of a counter's counts, fitted on validation images; part of its state.

    Raw counts stay what they are. ``calibrated counts = scale * counts + offset``, never below zero, and the interval
    is that count plus and minus ``interval_scale`` times the spread of the redundant estimates.

    Args:
        num_classes: C.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer('scale', torch.ones(num_classes))
        self.register_buffer('offset', torch.zeros(num_classes))
        self.register_buffer('interval_scale', torch.full((num_classes,), torch.inf))
        self.register_buffer('fitted', torch.zeros(1, dtype=torch.bool))

    def fit(self, predicted: np.ndarray, true: np.ndarray, spread: np.ndarray | None, coverage: float = 0.9) -> None:
        """Fit on n validation images.

        Args:
            predicted: (n, C) raw counts.
            true: (n, C) counts.
            spread: (n, C), or None where the codec has no redundant estimates.
            coverage: Share of images whose true count the interval shall hold.

        Raises:
            ValueError: the shapes differ, or there is no image.
        """
        if predicted.shape != true.shape or predicted.ndim != 2 or len(predicted) == 0:
            raise ValueError(f'expected two (n, C) arrays with n >= 1, got {predicted.shape} and {true.shape}')
        for index in range(predicted.shape[1]):
            scale, offset = fit_line(predicted[:, index], true[:, index])
            self.scale[index], self.offset[index] = scale, offset
            if spread is not None:
                errors = np.abs(np.maximum(scale * predicted[:, index] + offset, 0) - true[:, index])
                self.interval_scale[index] = fit_interval_scale(errors, spread[:, index], coverage)
            else:
                self.interval_scale[index] = torch.inf
        self.fitted.fill_(True)

    def forward(self, counts: Tensor, spread: Tensor | None = None) -> tuple[Tensor | None, Tensor | None]:
        """Calibrated counts and interval.

        Args:
            counts: (C,) raw counts.
            spread: (C,) or None.

        Returns:
            (C,) counts and (C, 2) interval; None for what was not fitted.
        """
        if not self.fitted:
            return None, None
        counts = (self.scale * counts + self.offset).clamp(min=0)
        # A spread of zero says nothing about the error: no interval rather than one of width zero.
        if spread is None or not (spread > 0).all() or not self.interval_scale.isfinite().all():
            return counts, None
        margin = self.interval_scale * spread
        return counts, torch.stack(((counts - margin).clamp(min=0), counts + margin), dim=1)
