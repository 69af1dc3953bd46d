"""Points as an mmdet box type, so that mmdet's transforms carry them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, register_box, register_box_converter
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from numpy.typing import NDArray
from torch import Tensor

POINT_EXTENT = 1e4
"""The side of a point as size filters see it, px. See `PointBoxes.widths`."""


@register_box('point')
class PointBoxes(BaseBoxes):
    """The points of an image, in pixel-centre convention: the point (c, r) is the centre of column c, row r.

    A point stands for its pixel, so as a box it is ``[x, x + 1) x [y, y + 1)`` in mmdet's edge convention, and an
    image of width W holds the points with ``-0.5 <= x < W - 0.5``. A point never moves onto a border: `clip_` turns a
    point outside of the image into NaN, which no later transform can bring back and which is outside of every image.
    (A transform that only clips, such as mmdet's ``Rotate`` or ``RandomShift``, followed by one that enlarges the
    image would otherwise show a point where no object is.)

    Args:
        data: (..., 2) points (x, y) in px.
        dtype: Type of the tensor; that of ``data`` by default.
        device: Device of the tensor; that of ``data`` by default.
        clone: Whether to copy ``data``.

    Example:
        >>> points = PointBoxes([[0.0, 0.0], [9.0, 4.0]])
        >>> points.flip_((5, 10))
        >>> points.tensor.tolist()
        [[9.0, 0.0], [0.0, 4.0]]
    """

    box_dim: int = 2
    tensor: Tensor

    @property
    def centers(self) -> Tensor:
        """(..., 2) centres of the points' pixels in mmdet's edge convention, i.e. ``tensor + 0.5``.

        mmdet compares centres with box edges; in its convention the centre of pixel c is at c + 0.5.
        """
        return self.tensor + 0.5

    @property
    def widths(self) -> Tensor:
        """(...,) `POINT_EXTENT`, or 0 for a point that was clipped away.

        A point has no size, but size filters (``FilterAnnotations``, ``RandomShift``) drop what is small. The finite
        large value passes every minimum and keeps ratios of sizes before and after a transform defined.
        """
        return torch.where(self.tensor.isnan().any(-1), 0.0, POINT_EXTENT).to(self.tensor)

    @property
    def heights(self) -> Tensor:
        """(...,) same as `widths`."""
        return self.widths

    @property
    def areas(self) -> Tensor:
        """(...,) ``widths * heights``."""
        return self.widths * self.heights

    def flip_(self, img_shape: tuple[int, int], direction: str = 'horizontal') -> None:
        """Mirror in place: x becomes W - 1 - x, y becomes H - 1 - y.

        Args:
            img_shape: (height, width).
            direction: 'horizontal', 'vertical' or 'diagonal' (both).
        """
        if direction not in ('horizontal', 'vertical', 'diagonal'):
            raise ValueError(f"direction must be 'horizontal', 'vertical' or 'diagonal', got {direction!r}")
        flipped = self.tensor.clone()
        if direction != 'vertical':
            flipped[..., 0] = img_shape[1] - 1 - flipped[..., 0]
        if direction != 'horizontal':
            flipped[..., 1] = img_shape[0] - 1 - flipped[..., 1]
        self.tensor = flipped

    def translate_(self, distances: tuple[float, float]) -> None:
        """Shift in place by (x, y) px."""
        self.tensor = self.tensor + self.tensor.new_tensor(_pair(distances, 'distances'))

    def clip_(self, img_shape: tuple[int, int]) -> None:
        """Turn the points outside of an image of (height, width) into NaN, in place. No point moves."""
        self.tensor = torch.where(self.is_inside(img_shape)[..., None], self.tensor, torch.nan)

    def rotate_(self, center: tuple[float, float], angle: float) -> None:
        """Rotate in place.

        Args:
            center: (x, y) of the fixed point, pixel centres at integers.
            angle: Degrees, positive is clockwise.
        """
        self.project_(np.vstack([cv2.getRotationMatrix2D(tuple(center), -angle, 1), [0, 0, 1]]))

    def project_(self, homography_matrix: Tensor | NDArray[Any]) -> None:
        """Map in place by a (3, 3) matrix in OpenCV's convention (pixel centres at integers), as ``cv2.warp*`` do."""
        matrix = torch.as_tensor(homography_matrix, dtype=torch.float64, device=self.tensor.device)
        points = self.tensor.to(torch.float64)
        mapped = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) @ matrix.T
        self.tensor = (mapped[..., :2] / mapped[..., 2:]).to(self.tensor.dtype)

    def rescale_(self, scale_factor: tuple[float, float]) -> None:
        """Scale in place with the image: x becomes (x + 0.5) * s - 0.5.

        Args:
            scale_factor: (width, height) factors.
        """
        self.tensor = (self.tensor + 0.5) * self.tensor.new_tensor(_pair(scale_factor, 'scale_factor')) - 0.5

    def resize_(self, scale_factor: tuple[float, float]) -> None:
        """Scale the sides but not the centres, which changes nothing: a point has no side."""

    def is_inside(self, img_shape: tuple[int, int], all_inside: bool = False, allowed_border: int = 0) -> Tensor:
        """(...,) bool: whether each point lies in ``[-0.5, W - 0.5) x [-0.5, H - 0.5)``.

        Args:
            img_shape: (height, width).
            all_inside: No meaning for points.
            allowed_border: Px by which the image is enlarged on every side.
        """
        height, width = img_shape
        x, y = self.tensor[..., 0] + 0.5, self.tensor[..., 1] + 0.5
        low = -allowed_border
        return (x >= low) & (y >= low) & (x < width + allowed_border) & (y < height + allowed_border)

    def find_inside_points(self, points: Tensor, is_aligned: bool = False) -> Tensor:
        """Which of (M, 2) positions (edge convention) lie in the points' pixels; (M, N) bool, (M,) if aligned."""
        return self.convert_to('hbox').find_inside_points(points, is_aligned)

    def create_masks(self, img_shape: tuple[int, int]) -> BitmapMasks:
        """One mask per point, with its nearest pixel set; empty for a point outside of (height, width)."""
        masks = np.zeros((len(self), *img_shape), dtype=np.uint8)
        inside = self.is_inside(img_shape).nonzero()[:, 0].numpy()
        column, row = np.floor(self.tensor[inside].numpy() + 0.5).astype(np.int64).reshape(-1, 2).T
        masks[inside, row, column] = 1
        return BitmapMasks(masks, *img_shape)

    @staticmethod
    def overlaps(
        boxes1: BaseBoxes, boxes2: BaseBoxes, mode: str = 'iou', is_aligned: bool = False, eps: float = 1e-6
    ) -> Tensor:
        """Overlap of two sets as horizontal boxes (a point is its pixel); (M, N), or (M,) if aligned."""
        return HorizontalBoxes.overlaps(boxes1, boxes2, mode=mode, is_aligned=is_aligned, eps=eps)

    @staticmethod
    def from_instance_masks(masks: BitmapMasks | PolygonMasks) -> 'PointBoxes':
        """The mean of each mask's pixels, NaN for an empty mask."""
        points = np.full((len(masks), 2), np.nan, dtype=np.float32)
        for index, mask in enumerate(masks.to_ndarray()):
            rows, columns = np.nonzero(mask)
            if len(rows):
                points[index] = columns.mean(), rows.mean()
        return PointBoxes(points)


@register_box_converter('point', 'hbox')
def point_to_hbox(points: Tensor) -> Tensor:
    """(..., 2) points to the (..., 4) boxes of their pixels."""
    return torch.cat([points, points + 1], dim=-1)


@register_box_converter('hbox', 'point')
def hbox_to_point(bboxes: Tensor) -> Tensor:
    """(..., 4) boxes (edges) to their (..., 2) centres, pixel centres at integers."""
    return (bboxes[..., :2] + bboxes[..., 2:] - 1) / 2


def _pair(values: Sequence[Any], name: str) -> Sequence[Any]:
    if len(values) != 2:
        raise ValueError(f'{name} must be (x, y), got {values!r}')
    return values
