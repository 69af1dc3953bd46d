"""Scale maps: how large objects are at each place of an image (the pseudo boxes of IIM)."""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcount.registry import CODECS

from .base import CountCodec, CountPrediction
from .pseudo_boxes import MIN_LOG_AREA, log_areas_at, smooth_log_areas, square_boxes

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
        >>> target = codec.encode(np.array([[4, 4, 14, 14]]), np.array([0]), (20, 40))
        >>> found = codec.decode(torch.from_numpy(target), (20, 40), np.array([[8.0, 8.0]]), np.array([0]))
        >>> round(float(target.max()), 3), found.bboxes.tolist()
        (4.605, [[3.5, 3.5, 13.5, 13.5]])
    """

    geometry = 'bboxes'

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

    def encode(
        self, points: NDArray[Any], labels: NDArray[Any], img_shape: tuple[int, int], halo: int = 0
    ) -> NDArray[Any]:
        """The scale map of one image.

        Corners are rounded down to whole pixels, the area is that of the rounded box, also where a part of it lies
        outside of the image.

        Args:
            points: (N, 4) boxes (x1, y1, x2, y2) in pixel edges of the input. They may lie outside of it.
            labels: (N,) int64.
            img_shape: (height, width) of the input.
            halo: 0; scale maps need no context.

        Returns:
            (C, h, w) float32, ln of px^2; of classes without a box, 0.

        Raises:
            ValueError: The shapes do not fit, a number is not finite, a label is not in 0..C-1, or ``halo`` is not 0.
        """
        if halo:
            raise ValueError(f'a scale map has no halo, got {halo}')
        boxes, labels = np.asarray(points, dtype=np.float64), np.asarray(labels, dtype=np.int64).reshape(-1)
        boxes = boxes if boxes.size else boxes.reshape(0, 4)
        if boxes.shape != (len(labels), 4):
            raise ValueError(f'a scale map needs ({len(labels)}, 4) boxes for as many labels, got shape {boxes.shape}')
        finite = np.isfinite(boxes).all(axis=1)
        if not finite.all():
            index = int(np.argmin(finite))
            raise ValueError(f'box {index} must be finite, got {boxes[index].tolist()}')
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(f'labels must be in 0..{self.num_classes - 1}, got {labels.min()}..{labels.max()}')
        canvas = np.zeros((self.num_classes, *self.map_shape(img_shape)), dtype=np.float32)
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
        return canvas

    def _painting_order(self, log_areas: NDArray[Any]) -> NDArray[np.int64]:
        if self.overlap == 'last':
            return np.arange(len(log_areas))
        return np.argsort(-log_areas if self.overlap == 'smallest' else log_areas, kind='stable')

    def decode(
        self,
        output: Tensor,
        img_shape: tuple[int, int],
        points: NDArray[Any] | None = None,
        labels: NDArray[Any] | None = None,
    ) -> CountPrediction:
        """Square boxes at given points.

        Args:
            output: (C, h, w) log-areas, ``(h, w) == map_shape(img_shape)``; a target of ``encode`` too.
            img_shape: (height, width) of the image, without padding.
            points: (N, 2) float, (x, y) of the objects in pixels of the input. They may lie outside of it.
            labels: (N,) int64; all 0 by default.

        Returns:
            ``bboxes`` of the points in their order, clipped to the image; ``points`` and ``labels`` as given;
            ``counts``, their numbers; ``scores``, all 1; ``density``, a unit in the cell of each point.

        Raises:
            ValueError: The output has another shape than ``map_shape`` says, there are no points, or their shape or
                labels do not fit.
        """
        expected = (self.num_classes, *self.map_shape(img_shape))
        if tuple(output.shape) != expected:
            raise ValueError(
                f'an image of {img_shape} has a map of {expected} at stride {self.stride}, got {tuple(output.shape)}'
            )
        if points is None:
            raise ValueError('a scale map gives sizes at points that are known and finds none itself: give points')
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        labels = np.zeros(len(points), dtype=np.int64) if labels is None else np.asarray(labels, dtype=np.int64)
        if labels.shape != (len(points),) or (len(labels) and not 0 <= labels.min() <= labels.max() < self.num_classes):
            raise ValueError(f'{len(points)} points need as many labels in 0..{self.num_classes - 1}, got {labels}')
        boxes = np.zeros((len(points), 4))
        for label in np.unique(labels):
            mine = labels == label
            log_areas = self.log_areas(output[label], points[mine], img_shape)
            boxes[mine] = square_boxes(points[mine], log_areas, img_shape, self.min_log_area)
        tensors = (torch.from_numpy(array).to(output.device) for array in (points, labels, boxes))
        at, kinds, bboxes = tensors
        density, extent = self.density_of(at, kinds, img_shape)
        return CountPrediction(
            torch.bincount(kinds, minlength=self.num_classes).float(),
            density,
            at.float(),
            kinds,
            torch.ones(len(at), device=output.device),
            extent,
            bboxes=bboxes.float(),
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
