"""Load images and point, box and count annotations, and say what is wrong with them."""

from collections.abc import Sequence

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine import fileio
from mmengine.logging import print_log

from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes, PointBoxes

from ..data_info import check_data_info, total_counts
from ..formats.coco_masks import bitmap
from .pixels import check_stored, decode_plane, opaque, read_header, to_8_bit_bgr


# The second name is the one that mmdet's `DetInferencer` looks for in a pipeline.
@TRANSFORMS.register_module(name=['LoadImage', 'LoadImageFromFile'])
class LoadImage(LoadImageFromFile):
    """Load an image as (H, W, 3) uint8 BGR, or say which file cannot be used and why.

    8-bit grey is repeated and a palette is looked up. Of 16 bits, the bit depth that the largest value of the file
    needs becomes 8 bits; signed and float pixels need a ``value_range``. Pixels that are not opaque are shown on
    ``background``. Of a stack or an animation one ``plane`` is read. A warning, once, says what was chosen or dropped.
    Data generated in memory (``img`` without ``img_path``) passes through.

    Required keys: ``img_path``, or ``img``. Added keys: ``img``, ``img_shape``, ``ori_shape``.

    Args:
        ignore_orientation: Whether to leave the pixels as stored. By default the EXIF orientation is applied.
        max_pixels: Largest accepted height x width. It is read from the file's header, before any decoding.
        on_error: 'raise', or 'skip' to log a warning once for each file and return None, upon which MMEngine's
            ``BaseDataset`` draws another training image (in a test pipeline it raises).
        to_float32: Whether to return float32 instead of uint8.
        backend_args: Arguments of the MMEngine file backend.
        value_range: Values (low, high) that become 0 and 255 in files whose pixels are not unsigned 8-bit.
        background: R, G, B in 0..255 below transparent pixels.
        plane: Page of a TIFF or frame of an animation, from 0; None is 0 with a warning if there are more.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, cut off, no image, has more than ``max_pixels``, pixels of a type whose range is
            not known, channels that are no picture, or no such plane.
    """

    def __init__(
        self,
        ignore_orientation: bool = False,
        max_pixels: int = 500_000_000,
        on_error: str = 'raise',
        to_float32: bool = False,
        backend_args: dict | None = None,
        value_range: Sequence[float] | None = None,
        background: Sequence[int] = (255, 255, 255),
        plane: int | None = None,
    ) -> None:
        if on_error not in ('raise', 'skip'):
            raise ValueError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
        if max_pixels < 1:
            raise ValueError(f'max_pixels must be at least 1, got {max_pixels}')
        if value_range is not None and (len(value_range) != 2 or not value_range[0] < value_range[1]):
            raise ValueError(f'value_range must be (low, high) with low < high, got {value_range!r}')
        if len(background) != 3 or not all(0 <= value <= 255 for value in background):
            raise ValueError(f'background must be R, G, B in 0..255, got {background!r}')
        if plane is not None and plane < 0:
            raise ValueError(f'plane must be at least 0, got {plane}')
        color_type = 'color_ignore_orientation' if ignore_orientation else 'color'
        super().__init__(to_float32=to_float32, color_type=color_type, backend_args=backend_args)
        self.ignore_orientation = ignore_orientation
        self.max_pixels = max_pixels
        self.on_error = on_error
        self.value_range = None if value_range is None else (value_range[0], value_range[1])
        self.background = (background[0], background[1], background[2])
        self.plane = plane
        self._skipped: set[str] = set()

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``; None if it cannot be used and errors are skipped."""
        try:
            img = self._load(results)
        except (OSError, ValueError) as error:
            if self.on_error == 'raise':
                raise
            path = str(results.get('img_path'))
            if path not in self._skipped:
                self._skipped.add(path)
                print_log(f'Skipping an image: {error}', logger='current', level=30)
            return None
        results['img'] = img.astype(np.float32) if self.to_float32 else img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def _load(self, results: dict) -> np.ndarray:
        path = results.get('img_path')
        if path is None:
            img = results.get('img')
            if not isinstance(img, np.ndarray) or img.ndim != 3 or img.shape[2] != 3:
                found = f'img of shape {img.shape}' if isinstance(img, np.ndarray) else f'img {type(img).__name__}'
                raise ValueError(f"expected 'img_path' or an (H, W, 3) array 'img' in the results, got {found}")
            return img
        path = str(path)
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'image file not found: {path}') from error
        return decode_image(
            content, path, self.color_type, self.max_pixels, self.value_range, self.background, self.plane
        )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(ignore_orientation={self.ignore_orientation}, max_pixels={self.max_pixels}, '
            f'on_error={self.on_error!r}, to_float32={self.to_float32}, backend_args={self.backend_args}, '
            f'value_range={self.value_range}, background={self.background}, plane={self.plane})'
        )


def decode_image(
    content: bytes,
    name: str,
    flag: str = 'color',
    max_pixels: int = 500_000_000,
    value_range: tuple[float, float] | None = None,
    background: tuple[int, int, int] = (255, 255, 255),
    plane: int | None = None,
) -> np.ndarray:
    """Decode the bytes of an image file to (H, W, 3) uint8 BGR.

    Args:
        content: The bytes.
        name: What error messages call the image.
        flag: 'color' or 'color_ignore_orientation', see ``mmcv.imfrombytes``.
        max_pixels: Largest accepted height x width.
        value_range: See :class:`LoadImage`.
        background: See :class:`LoadImage`.
        plane: See :class:`LoadImage`.

    Raises:
        ValueError: See :class:`LoadImage`.
    """
    if not content:
        raise ValueError(f'image file is empty (0 bytes): {name}')
    stored = read_header(content, plane or 0)
    if stored.pixels is not None and stored.pixels > max_pixels:
        raise ValueError(f'image {name} has {stored.pixels} pixels, more than max_pixels={max_pixels}')
    check_stored(stored, name, plane, value_range)
    if plane or not stored.plain:
        raw = decode_plane(content, stored, plane or 0, keep_orientation=flag != 'color')
        deep = stored.dtype not in ('', 'uint8')
        if (plane or deep) and (raw is None or (deep and raw.dtype == np.uint8)):
            raise ValueError(
                f'cannot decode plane {plane or 0} of {name}: {stored.dtype} pixels of {len(content)} bytes'
            )
        if raw is not None and (plane or raw.dtype != np.uint8 or not opaque(raw)):
            return to_8_bit_bgr(raw, stored, name, value_range, background)
    img = None
    # OpenCV first, as everywhere in MMCV; Pillow reads some formats that OpenCV was not built for.
    for backend in ('cv2', 'pillow'):
        try:
            img = mmcv.imfrombytes(content, flag=flag, backend=backend)
        except Exception as error:  # the decoders raise whatever their library does
            reason = str(error)
        else:
            reason = 'the decoder returned nothing'
        if img is not None:
            break
    if img is None:
        raise ValueError(
            f'cannot decode {name}: expected an image, found {len(content)} bytes that begin with {content[:8]!r} '
            f'({reason})'
        )
    return np.ascontiguousarray(img)


#: What only data sets say of an image, each optional: an image with none of these is an inferencer's.
DATASET_KEYS = ('sample_idx', 'num_classes', 'points', 'bboxes', 'labels', 'counts', 'masks', 'image_counts')


@TRANSFORMS.register_module()
class LoadCountAnnotations(BaseTransform):
    """Turn the annotations of a counting data set into what mmdet's transforms carry.

    Required keys: ``points`` or ``bboxes``, ``labels``; optional ``counts``, ``masks``, ``ignore_flags``,
    ``image_counts``, ``num_classes``. Added keys: ``gt_bboxes`` (the geometry), ``gt_bboxes_labels`` (N,) int64,
    ``gt_ignore_flags`` (N,) bool, ``gt_annotation_ids`` (N,) int64, which annotation each is of, ``raw_counts`` (C,)
    float32: objects of each class as annotated, which are ``image_counts`` or else the objects that are not ignored;
    ``num_classes``; with ``with_mask`` also ``gt_masks``.

    ==================  ====================  =================================================================
    geometry            ``gt_bboxes``         a count of n
    ==================  ====================  =================================================================
    'points'            ``PointBoxes``        repeats the point n times
    'bboxes'            ``HorizontalBoxes``   is left out: each box is one object to a detector
    'counted_bboxes'    ``CountedBoxes``      travels with its box
    'none'              absent                is all there is: only ``raw_counts`` and ``num_classes`` are added
    ==================  ====================  =================================================================

    With geometry 'none' the counts are those of the whole image: no transform may cut a part away. An image that comes
    from no data set (an inferencer's) has no annotations and passes through.

    Args:
        geometry: 'points', 'bboxes', 'counted_bboxes' or 'none'.
        with_mask: Whether to load the masks. Each is an (H, W) array of 0 and 1, or a COCO segmentation (polygons or
            run lengths), which is drawn here. ``void_mask`` of the data set, pixels that are not evaluated, becomes
            ``gt_void_mask`` (H, W) bool; like the loaded coordinates it fits the image before any resizing.
        num_classes: C, where the data set does not say it (``num_classes`` in its ``data_info``).

    Raises:
        ValueError: The annotation breaks the contract of :func:`~mmcount.datasets.data_info.check_data_info`, or is not
            of the geometry; the message names the image and the first bad object.
    """

    GEOMETRIES = ('points', 'bboxes', 'counted_bboxes', 'none')

    def __init__(self, geometry: str = 'points', with_mask: bool = False, num_classes: int | None = None) -> None:
        if geometry not in self.GEOMETRIES:
            raise ValueError(f'geometry must be one of {self.GEOMETRIES}, got {geometry!r}')
        if geometry == 'none' and with_mask:
            raise ValueError("with_mask=True needs the objects that the masks belong to: geometry='none' loads none")
        self.geometry = geometry
        self.with_mask = with_mask
        self.num_classes = num_classes

    def transform(self, results: dict) -> dict:
        """Add the annotations to ``results``."""
        if not any(key in results for key in DATASET_KEYS):
            return results
        num_classes = results.get('num_classes', self.num_classes)
        if num_classes is None:
            raise ValueError(
                f"number of classes unknown for {image_name(results)}: the data set gives no 'num_classes', so set "
                'num_classes of LoadCountAnnotations'
            )
        info = check_data_info(results, num_classes)
        results.update(num_classes=int(num_classes), raw_counts=total_counts(info, num_classes))
        if self.geometry == 'none':
            return results
        key = 'points' if self.geometry == 'points' else 'bboxes'
        if info.get(key) is None:
            hint = (
                f"; the data set has only counts of the whole image: use geometry='none' or give it '{key}'"
                if info.get('image_counts') is not None
                else ''
            )
            raise ValueError(
                f"geometry={self.geometry!r} needs '{key}', which {image_name(results)} does not have{hint}"
            )
        labels = info['labels']
        counts = info.get('counts', np.ones_like(labels))
        # a point that counts n is there n times
        index = np.repeat(np.arange(len(labels)), counts if self.geometry == 'points' else 1)
        coords = torch.from_numpy(info[key][index])
        if self.geometry == 'points':
            results['gt_bboxes'] = PointBoxes(coords)
        elif self.geometry == 'bboxes':
            results['gt_bboxes'] = HorizontalBoxes(coords)
        else:
            results['gt_bboxes'] = CountedBoxes(torch.cat([coords, torch.from_numpy(counts).float()[:, None]], dim=1))
        results['gt_bboxes_labels'] = labels[index]
        results['gt_ignore_flags'] = info.get('ignore_flags', np.zeros(len(labels), dtype=bool))[index]
        results['gt_annotation_ids'] = index
        if self.with_mask:
            name = image_name(results)
            results['gt_masks'] = self._masks(results, name)[index]
            if results.get('void_mask') is not None:
                shape = _mask_shape(results)
                results['gt_void_mask'] = bitmap(results['void_mask'], shape, f'void_mask of {name}').astype(bool)
        return results

    @staticmethod
    def _masks(results: dict, name: str) -> BitmapMasks:
        masks = results.get('masks')
        if masks is None:
            raise ValueError(f"with_mask=True needs 'masks', which {name} does not have")
        shape = _mask_shape(results)
        drawn = []
        for index, mask in enumerate(masks):
            drawn.append(bitmap(mask, shape, f'mask {index} of {name}'))
            shape = drawn[0].shape if shape is None else shape
        if shape is None:
            raise ValueError(f'the size of {name} is unknown: load the image before its masks')
        return BitmapMasks(drawn, *shape)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(geometry={self.geometry!r}, with_mask={self.with_mask}, '
            f'num_classes={self.num_classes})'
        )


def image_name(results: dict) -> str:
    """Return the name of the image of ``results`` for messages."""
    for key in ('img_path', 'img_id'):
        if results.get(key) is not None:
            return f'image {results[key]}'
    return 'an image without img_path and img_id'


def _mask_shape(results: dict) -> tuple[int, int] | None:
    if 'ori_shape' in results:
        return tuple(results['ori_shape'][:2])
    if 'height' in results and 'width' in results:
        return results['height'], results['width']
    return None
