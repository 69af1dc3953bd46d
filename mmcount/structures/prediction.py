"""Prediction of one image, and the only code that writes it into a data sample."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from .count_data_sample import CountDataSample
from .map_grid import Extent

#: (C,) counts and their (C,) spread or None to (C,) calibrated counts and (C, 2) interval; None if not fitted.
Calibration = Callable[[Tensor, Tensor | None], tuple[Tensor | None, Tensor | None]]


@dataclass
class CountPrediction:
    """Counts, places and density of one image, in pixels of the network's input.

    Shape:
        counts: (C,) objects of each class, never rounded.
        points: (P, 2) float, (x, y), pixel centres at integers.
        labels: (P,) int64.
        scores: (P,) float.
        density: (C, h, w) objects per cell; sums to ``counts`` over the cells.
        extent: (left, top, right, bottom) of the cells of the density.
        bboxes: (P, 4) float, (x1, y1, x2, y2) in pixel edges, or None if the method has none.
        ellipses: (P, 4) float, centre and half-axes, or None.
        spread: (C,) standard deviation of the method's own estimates of ``counts``, or None if it has but one.
        saturated: Whether a cap of the method was reached, so that the count is a lower bound; None if it has no cap.
        extras: Further fields of the sample.
    """

    counts: Tensor
    points: Tensor
    labels: Tensor
    scores: Tensor
    density: Tensor
    extent: Extent
    bboxes: Tensor | None = None
    ellipses: Tensor | None = None
    spread: Tensor | None = None
    saturated: bool | None = None
    extras: dict[str, Any] = field(default_factory=dict)

    def write(self, sample: CountDataSample, calibration: Calibration | None = None) -> CountDataSample:
        """Write into a sample, geometry in pixels of the original image.

        Args:
            sample: The sample of the image; changed and returned. Its ``scale_factor`` (x, y) is undone.
            calibration: Gives calibrated counts and their interval; what was not fitted stays absent.
        """
        scale_x, scale_y = (float(value) for value in sample.get('scale_factor', (1.0, 1.0)))
        scale = self.points.new_tensor((scale_x, scale_y))
        instances = InstanceData(points=(self.points + 0.5) / scale - 0.5, labels=self.labels, scores=self.scores)
        for name in ('bboxes', 'ellipses'):
            value = getattr(self, name)
            if value is not None:
                instances[name] = value / value.new_tensor((scale_x, scale_y) * 2)
        corners = zip(self.extent, (scale_x, scale_y, scale_x, scale_y), strict=True)
        extent = tuple((value + 0.5) / one - 0.5 for value, one in corners)
        sample.pred_counts = self.counts
        sample.pred_density = PixelData(data=self.density, metainfo=dict(extent=extent))
        sample.pred_instances = instances
        if self.spread is not None:
            sample.pred_spread = self.spread
        if self.saturated is not None:
            sample.saturated = self.saturated
        for name, value in self.extras.items():
            sample.set_field(value, name)
        if calibration is not None:
            calibrated, interval = calibration(self.counts, self.spread)
            if calibrated is not None:
                sample.pred_calibrated_counts = calibrated
            if interval is not None:
                sample.pred_interval = interval
        return sample


def no_points(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points (0, 2), labels (0,) and scores (0,) of an image without any, on the device of ``like``."""
    empty = torch.zeros(0, device=like.device)
    return empty.view(0, 2), empty.long(), empty
