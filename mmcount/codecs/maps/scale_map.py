"""Scale maps: how large objects are at each place of an image (the pseudo boxes of IIM)."""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcount.codecs.base import CountCodec, checked_map
from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction

from .square_boxes import MIN_LOG_AREA, log_areas_at, smooth_log_areas, square_boxes

OVERLAPS = ('last', 'smallest', 'largest')


@CODECS.register_module()
class ScaleMapCodec(CountCodec):
    """Boxes to a map of the logarithms of their areas, and a map with points to square boxes at the points.

    The preparation step of Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020, for data
    sets that have points only. The target is ln(max(area, 1)) inside of each box and 0 outside. In decoding every
    point takes the largest value in a window around it, is smoothed with its three nearest neighbours, and becomes a
    square of that area. The map says nothing about the number of objects: they are given.

    Args:
        window: Side of the window, px, odd: 199 in IIM for ShanghaiTech, 249 for UCF-QNRF. It should be some times
            an object's side.
        step: Pixels between two windows.
        round_log: Round the map to whole numbers first, as IIM does by saving it as an 8-bit image.
        smooth: Use the neighbours.
        min_log_area: Smaller objects become this large: 4, a side of 7 px, in IIM.
        overlap: Which box of those that share a pixel is seen there: the 'last' one in the order of the annotation,
            as in IIM, the 'smallest' or the 'largest'.
        num_classes: C; each has a channel.
        stride: Input pixels between two cells of the map.

    Raises:
        ValueError: An option is not one of those above.

    Example:
        >>> codec = ScaleMapCodec(window=5, step=4)
        >>> grid = codec.grid((20, 40))
        >>> target = codec.encode(Objects([[8.5, 8.5]], bboxes=[[4, 4, 14, 14]]), grid)['data']
        >>> found = codec.decode((torch.from_numpy(target),), grid, known=Objects([[8.0, 8.0]]))
        >>> round(float(target.max()), 3), found.bboxes.tolist()
        (4.605, [[3.5, 3.5, 13.5, 13.5]])
    """

    def __init__(
        self,
        window: int = 199,
        step: int = 16,
        round_log: bool = False,
        smooth: bool = True,
        min_log_area: float = MIN_LOG_AREA,
        overlap: Literal['last', 'smallest', 'largest'] = 'last',
        num_classes: int = 1,
        stride: int = 1,
    ) -> None:
        super().__init__(num_classes=num_classes, stride=stride)
        if overlap not in OVERLAPS:
            raise ValueError(f'overlap must be one of {OVERLAPS}, got {overlap!r}')
        log_areas_at(torch.zeros(1, 1), np.zeros((0, 2)), (1, 1), window, step)  # refuses wrong windows now
        self.window, self.step = window, step
        self.round_log, self.smooth, self.min_log_area = round_log, smooth, min_log_area
        self.overlap = overlap

    def encode(self, objects: Objects, grid: MapGrid) -> dict[str, NDArray[Any]]:
        """The scale map of one image.

        Corners are rounded down to whole pixels, the area is that of the rounded box, also if a part of it lies outside
        of the image.

        Args:
            objects: With boxes.
            grid: Of the image.

        Returns:
            ``data``: (C, h, w) float32, ln of px^2; of classes without a box, 0.

        Raises:
            ValueError: There are no boxes, a number is not finite, or a label is not in 0..C-1.
        """
        objects = objects.checked(self.num_classes)
        boxes, labels = objects.boxes(), objects.labels
        canvas = np.zeros((self.num_classes, *grid.shape), dtype=np.float32)
        limit = canvas.shape[:0:-1]
        corners = np.floor(boxes)
        sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
        log_areas = np.log(np.maximum(sides.prod(axis=1), 1))
        low, high = np.split(corners // self.stride, 2, axis=1)
        if self.stride > 1:  # at least the cell of the first corner, or small boxes would leave no trace
            high = np.where(sides > 0, np.maximum(high, low + 1), high)
        low, high = (np.clip(part, 0, limit).astype(np.int64) for part in (low, high))
        for index in self._painting_order(log_areas):
            (left, top), (right, bottom) = low[index], high[index]
            canvas[labels[index], top:bottom, left:right] = log_areas[index]
        return dict(data=canvas)

    def _painting_order(self, log_areas: NDArray[Any]) -> NDArray[np.int64]:
        if self.overlap == 'last':
            return np.arange(len(log_areas))
        return np.argsort(-log_areas if self.overlap == 'smallest' else log_areas, kind='stable')

    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """Square boxes at known points.

        Args:
            maps: (C, h, w) log-areas; a target of ``encode`` too.
            grid: Of the image.
            known: Their points may lie outside of the image.

        Returns:
            ``bboxes`` of the points in their order, clipped to the image; ``points`` and ``labels`` as given;
            ``counts``, their numbers; ``scores``, all 1; ``density``, a unit in the cell of each point.

        Raises:
            ValueError: The map is not that of the grid, or no objects are given.
        """
        output = checked_map(maps, grid, self.num_classes)
        if known is None:
            raise ValueError('a scale map gives sizes at points that are known and finds none itself: give points')
        known = known.checked(self.num_classes)
        labels = torch.as_tensor(known.labels)
        boxes = np.zeros((len(known.points), 4))
        for label in labels.unique().tolist():
            mine = known.labels == label
            log_areas = self.log_areas(output[label], known.points[mine], grid.img_shape)
            boxes[mine] = square_boxes(known.points[mine], log_areas, grid.img_shape, self.min_log_area)
        points, labels = torch.from_numpy(known.points).to(output.device), labels.to(output.device)
        return CountPrediction(
            counts=torch.bincount(labels, minlength=self.num_classes).float(),
            points=points.float(),
            labels=labels,
            scores=torch.ones(len(points), device=output.device),
            density=grid.units(points, labels, self.num_classes),
            extent=grid.extent,
            bboxes=torch.from_numpy(boxes).to(output.device).float(),
        )

    def log_areas(self, scale_map: Tensor, points: NDArray[Any], img_shape: tuple[int, int]) -> NDArray[np.float64]:
        """(N,) log-areas of the objects at (N, 2) points, from the (h, w) map of their class."""
        full = scale_map.float()
        if self.round_log:
            full = full.round().clamp(0, 255)
        if self.stride > 1:
            full = full.repeat_interleave(self.stride, dim=0).repeat_interleave(self.stride, dim=1)
        values = log_areas_at(full, points, img_shape, self.window, self.step)
        return smooth_log_areas(points, values) if self.smooth else values
