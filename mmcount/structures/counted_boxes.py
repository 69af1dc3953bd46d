"""Boxes that carry a count, as an mmdet box type."""

from typing import Any

import torch
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes, register_box, register_box_converter
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from numpy.typing import NDArray
from torch import Tensor

from .point_boxes import hbox_to_point


@register_box('counted')
class CountedBoxes(BaseBoxes):
    """Horizontal boxes with the number of objects in each: (x1, y1, x2, y2, count).

    The geometry is that of mmdet's ``HorizontalBoxes``. The count is a column of the box, so whatever selects,
    orders or joins boxes takes it along, and whatever moves them leaves it alone.

    Args:
        data: (..., 5) boxes with counts, px and objects.
        dtype: Type of the tensor; that of ``data`` by default.
        device: Device of the tensor; that of ``data`` by default.
        clone: Whether to copy ``data``.

    Example:
        >>> boxes = CountedBoxes([[0.0, 0.0, 4.0, 2.0, 7.0]])
        >>> boxes.flip_((5, 10))
        >>> boxes.tensor.tolist()
        [[6.0, 0.0, 10.0, 2.0, 7.0]]
    """

    box_dim: int = 5
    tensor: Tensor

    @property
    def counts(self) -> Tensor:
        """(...,) int64 objects in each box."""
        return self.tensor[..., 4].round().to(torch.int64)

    @property
    def hboxes(self) -> HorizontalBoxes:
        """The boxes without their counts."""
        return HorizontalBoxes(self.tensor[..., :4])

    @property
    def centers(self) -> Tensor:
        """(..., 2) centres, edge convention."""
        return self.hboxes.centers

    @property
    def areas(self) -> Tensor:
        """(...,) areas in px^2."""
        return self.hboxes.areas

    @property
    def widths(self) -> Tensor:
        """(...,) widths in px."""
        return self.hboxes.widths

    @property
    def heights(self) -> Tensor:
        """(...,) heights in px."""
        return self.hboxes.heights

    def _apply_(self, method: str, *args: Any) -> None:
        hboxes = self.hboxes
        getattr(hboxes, method)(*args)
        self.tensor = torch.cat([hboxes.tensor, self.tensor[..., 4:]], dim=-1)

    def flip_(self, img_shape: tuple[int, int], direction: str = 'horizontal') -> None:
        """Mirror in place, see ``HorizontalBoxes.flip_``."""
        self._apply_('flip_', img_shape, direction)

    def translate_(self, distances: tuple[float, float]) -> None:
        """Shift in place by (x, y) px."""
        self._apply_('translate_', distances)

    def clip_(self, img_shape: tuple[int, int]) -> None:
        """Cut at the borders of an image of (height, width), in place. The counts stay, also of boxes cut in part."""
        self._apply_('clip_', img_shape)

    def rotate_(self, center: tuple[float, float], angle: float) -> None:
        """Replace in place by the boxes around the boxes rotated clockwise by ``angle`` degrees."""
        self._apply_('rotate_', center, angle)

    def project_(self, homography_matrix: Tensor | NDArray[Any]) -> None:
        """Replace in place by the boxes around the boxes mapped by a (3, 3) matrix."""
        self._apply_('project_', homography_matrix)

    def rescale_(self, scale_factor: tuple[float, float]) -> None:
        """Scale in place with the image by (width, height) factors."""
        self._apply_('rescale_', scale_factor)

    def resize_(self, scale_factor: tuple[float, float]) -> None:
        """Scale the sides about the centres by (width, height) factors, in place."""
        self._apply_('resize_', scale_factor)

    def is_inside(self, img_shape: tuple[int, int], all_inside: bool = False, allowed_border: int = 0) -> Tensor:
        """(...,) bool, see ``HorizontalBoxes.is_inside``."""
        return self.hboxes.is_inside(img_shape, all_inside, allowed_border)

    def find_inside_points(self, points: Tensor, is_aligned: bool = False) -> Tensor:
        """Which of (M, 2) positions lie in the boxes; (M, N) bool, (M,) if aligned."""
        return self.hboxes.find_inside_points(points, is_aligned)

    def create_masks(self, img_shape: tuple[int, int]) -> BitmapMasks:
        """One mask per box, filled."""
        return self.hboxes.create_masks(img_shape)

    @staticmethod
    def overlaps(
        boxes1: BaseBoxes, boxes2: BaseBoxes, mode: str = 'iou', is_aligned: bool = False, eps: float = 1e-6
    ) -> Tensor:
        """Overlap of two sets as horizontal boxes; (M, N), or (M,) if aligned."""
        return HorizontalBoxes.overlaps(boxes1, boxes2, mode=mode, is_aligned=is_aligned, eps=eps)

    @staticmethod
    def from_instance_masks(masks: BitmapMasks | PolygonMasks) -> 'CountedBoxes':
        """Refused: a mask does not tell how many objects it covers.

        Transforms that compute boxes anew from masks (``RandomCrop(recompute_bbox=True)``, ``CopyPaste``) would
        replace every count without a word. For counts of one, convert:
        ``HorizontalBoxes.from_instance_masks(masks).convert_to('counted')``.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            'boxes with counts cannot be computed from masks, which do not tell the counts; if this comes from a '
            "transform, set its recompute_bbox=False, or wrap it: dict(type='mmcount.CountsInLabels', transform=...)"
        )


@register_box_converter('counted', 'hbox')
def counted_to_hbox(boxes: Tensor) -> Tensor:
    """(..., 5) counted boxes to (..., 4) boxes; the counts are lost."""
    return boxes[..., :4]


@register_box_converter('hbox', 'counted')
def hbox_to_counted(bboxes: Tensor) -> Tensor:
    """(..., 4) boxes to (..., 5) boxes of count 1."""
    return torch.cat([bboxes, torch.ones_like(bboxes[..., :1])], dim=-1)


@register_box_converter('counted', 'point')
def counted_to_point(boxes: Tensor) -> Tensor:
    """(..., 5) counted boxes to their (..., 2) centres, one each whatever the count."""
    return hbox_to_point(boxes[..., :4])
