"""Geometry that mmdet does not have: the eight symmetries of the square, and crops with their surroundings."""

import random
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.structures.bbox import BaseBoxes
from mmdet.structures.mask import BitmapMasks

from mmcount.codecs.base import CountCodec, build_codec
from mmcount.registry import TRANSFORMS
from mmcount.structures import PointBoxes
from mmcount.utils.moved_options import refuse_moved


@TRANSFORMS.register_module()
class RandomDihedral(BaseTransform):
    """One of the eight symmetries of the square, each as likely: a mirror or not, then 0 to 3 quarter turns.

    No pixel is interpolated and no point rounded, so image and annotations stay exactly consistent. Images need not
    be square: an odd number of quarter turns swaps height and width.

    Required keys: ``img``; optional ``gt_bboxes`` (any box type of this package or mmdet's horizontal boxes),
    ``gt_masks`` (bitmaps), ``gt_seg_map``. Modified: these, and ``img_shape``.

    Args:
        prob: Probability of drawing a symmetry (the identity is one of them); otherwise nothing happens.
    """

    def __init__(self, prob: float = 1.0) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        self.prob = prob

    @cache_randomness
    def _draw(self) -> tuple[bool, int]:
        if random.random() >= self.prob:
            return False, 0
        return bool(random.randrange(2)), random.randrange(4)

    def transform(self, results: dict) -> dict:
        """Apply a drawn symmetry to ``results``."""
        mirror, turns = self._draw()
        height, width = results['img'].shape[:2]
        if results.get('gt_bboxes') is not None:
            turn_boxes_(results['gt_bboxes'], (height, width), mirror, turns)
        if results.get('gt_masks') is not None:
            results['gt_masks'] = _turn_masks(results['gt_masks'], mirror, turns)
        for key in ('img', 'gt_seg_map'):
            if results.get(key) is not None:
                results[key] = turn_image(results[key], mirror, turns)
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'


def turn_image(img: np.ndarray, mirror: bool, turns: int, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Mirror the columns if ``mirror``, then turn counter-clockwise by ``turns`` quarters; contiguous."""
    if mirror:
        img = np.flip(img, axis=axes[1])
    return np.ascontiguousarray(np.rot90(img, turns, axes=axes))


def turn_boxes_(boxes: BaseBoxes, img_shape: tuple[int, int], mirror: bool, turns: int) -> None:
    """Do to boxes of an image of (height, width), in place, what `turn_image` does to the image."""
    if mirror:
        boxes.flip_(img_shape)
    for _ in range(turns % 4):
        # A quarter turn takes (x, y) to (y, far - x), with the far end of the box type's own convention.
        far = img_shape[1] - 1 if isinstance(boxes, PointBoxes) else img_shape[1]
        boxes.project_(np.array([[0, 1, 0], [-1, 0, far], [0, 0, 1]], dtype=np.float64))
        img_shape = img_shape[::-1]


def _turn_masks(masks: BitmapMasks, mirror: bool, turns: int) -> BitmapMasks:
    _need_bitmaps(masks, 'RandomDihedral')
    turned = turn_image(masks.masks, mirror, turns, axes=(1, 2))
    return BitmapMasks(turned, *turned.shape[1:])


@TRANSFORMS.register_module()
class HaloCrop(BaseTransform):
    """Cut a random square that brings along the surroundings that a network without padding needs.

    The image is padded by ``halo`` on every side and a square of ``size + halo`` is cut from it. A network of
    redundant counts with ``halo`` = its window size then gives ``size`` x ``size`` windows, the same numbers as at
    these places of the whole image (Cohen et al., Count-ception, 2017). The corner is drawn uniformly from a range
    ``extend`` px wider than possible on each side and moved back into it: otherwise the windows at the borders of the
    image would be seen far less often than those inside. An image that is too small with its halo is padded further
    at the bottom and at the right.

    Required keys: ``img``; optional ``gt_bboxes``, ``gt_bboxes_labels``, ``gt_ignore_flags``, ``gt_masks``
    (bitmaps), ``gt_seg_map``. Modified: these and ``img_shape``; instances outside of the crop are dropped. Added:
    ``halo``, which `GenerateTarget` and the data preprocessor read.

    Args:
        size: Valid output cells per side at stride 1.
        codec: The codec of the target or its config; its ``halo`` is the width of the surroundings, px.
        pad_val: Value of the padding.
        extend: Px by which the range of corners is extended, see above. 0 draws all corners equally often.
        **moved: None; names an option of before with its replacement.
    """

    def __init__(
        self,
        codec: CountCodec | dict | None = None,
        size: int = 128,
        pad_val: float = 0,
        extend: int = 48,
        **moved: Any,
    ) -> None:
        refuse_moved('HaloCrop', moved, dict(halo='give it the codec of the target, codec=codec'))
        if codec is None:
            raise ValueError('HaloCrop needs the codec of the target: codec=codec')
        for name, value, least in (('size', size, 1), ('extend', extend, 0)):
            if value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
        self.size = size
        self.halo = build_codec(codec).halo
        self.pad_val = pad_val
        self.extend = extend

    @cache_randomness
    def _draw_origin(self, img_shape: tuple[int, int]) -> tuple[int, int]:
        """(row, column) of the corner of the crop in the image padded by the halo."""
        origin = []
        for length in img_shape:
            last = max(length + self.halo - self.size, 0)
            drawn = random.randint(-self.extend, last + self.extend)
            origin.append(min(max(drawn, 0), last))
        return origin[0], origin[1]

    def transform(self, results: dict) -> dict:
        """Cut a crop out of ``results``."""
        img_shape = results['img'].shape[:2]
        row, column = self._draw_origin(img_shape)
        # From here on in the image's own coordinates, where the corner may be negative.
        top, left = row - self.halo, column - self.halo
        side = self.size + self.halo
        results['img'] = cut_window(results['img'], top, left, side, side, self.pad_val)
        if results.get('gt_seg_map') is not None:
            results['gt_seg_map'] = cut_window(results['gt_seg_map'], top, left, side, side, 255)
        if results.get('gt_masks') is not None:
            results['gt_masks'] = _cut_masks(results['gt_masks'], top, left, side)
        if results.get('gt_bboxes') is not None:
            results['gt_bboxes'].clip_(img_shape)  # what lies outside of the image is not in its halo either
            results['gt_bboxes'].translate_((-left, -top))
            _keep_inside(results, (side, side))
            results['gt_bboxes'].clip_((side, side))
        results['img_shape'] = (side, side)
        results['halo'] = self.halo
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(size={self.size}, halo={self.halo}, pad_val={self.pad_val}, extend={self.extend})'
        )


def cut_window(img: np.ndarray, top: int, left: int, height: int, width: int, pad_val: float = 0) -> np.ndarray:
    """Cut a window that may reach over the borders of an image.

    Args:
        img: (H, W, ...) array.
        top: First row of the window, may be negative.
        left: First column of the window, may be negative.
        height: Rows of the window.
        width: Columns of the window.
        pad_val: Value outside of the image.

    Returns:
        (height, width, ...) contiguous array of the type of ``img``.
    """
    window = np.full((height, width, *img.shape[2:]), pad_val, dtype=img.dtype)
    row_start, row_end = max(top, 0), min(top + height, img.shape[0])
    col_start, col_end = max(left, 0), min(left + width, img.shape[1])
    if row_start < row_end and col_start < col_end:
        window[row_start - top : row_end - top, col_start - left : col_end - left] = img[
            row_start:row_end, col_start:col_end
        ]
    return window


def _cut_masks(masks: BitmapMasks, top: int, left: int, side: int) -> BitmapMasks:
    _need_bitmaps(masks, 'HaloCrop')
    return BitmapMasks([cut_window(mask, top, left, side, side) for mask in masks.masks], side, side)


def _keep_inside(results: dict, img_shape: tuple[int, int]) -> None:
    keep = results['gt_bboxes'].is_inside(img_shape).numpy()
    for key in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks'):
        if results.get(key) is not None:
            results[key] = results[key][keep]


def _need_bitmaps(masks: object, name: str) -> None:
    if not isinstance(masks, BitmapMasks):
        raise TypeError(f'{name} needs BitmapMasks, got {type(masks).__name__}')
