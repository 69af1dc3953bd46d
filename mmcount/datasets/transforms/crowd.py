"""The sizes that crowds are seen at: sides that a network's strides divide, and not below a crop."""

import random
from abc import abstractmethod
from functools import cached_property
from typing import Any, Literal

from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmcount.registry import TRANSFORMS

Size = tuple[int, int]


class ResizeByRule(BaseTransform):
    """Base of the transforms that compute a size and resize to it, by mmdet's ``Resize``.

    Boxes, points, masks and segmentation maps go with the image, and nothing is clipped: what lies outside of the image
    stays outside. ``scale_factor`` is that of all resizing since the image was loaded, by which predictions go back to
    the original image. Generate targets after resizing: in a resized target, gaps of a pixel may close.

    Required keys: ``img``; optional ``gt_bboxes``, ``gt_masks``, ``gt_seg_map``, ``scale_factor``. Modified: these and
    ``img_shape``.

    Args:
        backend: 'cv2', or 'pillow', whose bilinear interpolation is that of IIM's published code.
        interpolation: As of ``mmcv.imresize``.
    """

    def __init__(self, backend: str = 'cv2', interpolation: str = 'bilinear') -> None:
        self.backend = backend
        self.interpolation = interpolation

    @cached_property
    def resize(self) -> Any:
        """The transform of mmdet; built at the first image, as importing it takes a while and prints."""
        config = dict(scale=1, clip_object_border=False, backend=self.backend, interpolation=self.interpolation)
        return TRANSFORMS.build(dict(type='mmdet.Resize', **config))

    @abstractmethod
    def new_size(self, size: Size) -> Size:
        """(height, width) of an image to what it becomes."""

    def transform(self, results: dict) -> dict:
        """Resize ``results``."""
        before = results.get('scale_factor', (1.0, 1.0))
        height, width = self.new_size(tuple(results['img'].shape[:2]))
        self.resize.scale = (width, height)
        results = self.resize(results)
        results['scale_factor'] = tuple(one * two for one, two in zip(results['scale_factor'], before, strict=True))
        return results


@TRANSFORMS.register_module()
class RandomScaleToMultiple(ResizeByRule):
    """Scale by a random factor, each side rounded down to a multiple, and not below the size of a crop.

    As IIM trains (Gao et al., 2020), in its order: both sides are scaled and rounded down; if the width is now too
    small, it becomes ``min_size``'s and the height follows; if the height is then too small, it becomes
    ``min_size``'s and the width follows. Rounding changes the aspect ratio slightly. A range of one number is no
    chance: ``scale_range=(1.0, 1.0)`` only rounds and enlarges.

    Args:
        scale_range: Smallest and largest factor.
        min_size: Smallest height and width, multiples of ``divisor``.
        divisor: Both sides become multiples of it.
        **kwargs: As :class:`ResizeByRule`.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> transform = RandomScaleToMultiple(scale_range=(1.0, 1.0), min_size=(512, 1024), divisor=32)
        >>> transform.new_size((1000, 1500)), transform.new_size((480, 640)), transform.new_size((300, 1200))
        ((992, 1472), (768, 1024), (512, 2048))
    """

    def __init__(
        self,
        scale_range: tuple[float, float] = (0.8, 1.2),
        min_size: Size = (512, 1024),
        divisor: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        low, high = scale_range
        if not 0 < low <= high:
            raise ValueError(f'scale_range must be two positive numbers, the smaller first, got {tuple(scale_range)}')
        _check_size(min_size, divisor)
        self.scale_range = (float(low), float(high))
        self.min_size = tuple(min_size)
        self.divisor = divisor

    @cache_randomness
    def _draw(self) -> float:
        low, high = self.scale_range
        return low if low == high else random.uniform(low, high)

    def new_size(self, size: Size) -> Size:
        """(height, width) of an image to what it becomes; draws the factor."""
        factor, (height, width), (least_height, least_width) = self._draw(), size, self.min_size
        new_height, new_width = (int(side * factor) // self.divisor * self.divisor for side in size)
        if new_width < least_width:
            new_height, new_width = height * least_width // width // self.divisor * self.divisor, least_width
        if new_height < least_height:
            new_height, new_width = least_height, width * least_height // height // self.divisor * self.divisor
        return new_height, max(new_width, self.divisor)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale_range={self.scale_range}, min_size={self.min_size}, divisor={self.divisor}, '
            f'backend={self.backend!r}, interpolation={self.interpolation!r})'
        )


@TRANSFORMS.register_module()
class ResizeToMinimum(ResizeByRule):
    """Bring an image to sides that are multiples, enlarged where it is small, as IIM prepares its data sets.

    An image of at least ``min_size`` has each side rounded to a multiple of ``divisor``. A smaller one is enlarged
    until the side that lacks more has its least length; the other becomes the next multiple beyond its own. The
    published preparations: ``scale=2`` for ShanghaiTech A and B, ``rounding='up'`` for UCF-QNRF, neither for
    JHU-Crowd++; NWPU-Crowd keeps its size. In tests, load annotations after it: they stay in pixels of the file, and
    so do predictions.

    Args:
        scale: Factor before all else.
        min_size: Smallest height and width, multiples of ``divisor``.
        divisor: Both sides become multiples of it.
        rounding: 'down', or 'up' to the next multiple, which is never the number itself.
        **kwargs: As :class:`ResizeByRule`.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> transform = ResizeToMinimum()
        >>> transform.new_size((1000, 1500)), transform.new_size((600, 900)), transform.new_size((900, 600))
        ((992, 1488), (768, 1168), (1552, 1024))
    """

    def __init__(
        self,
        scale: float = 1.0,
        min_size: Size = (768, 1024),
        divisor: int = 16,
        rounding: Literal['down', 'up'] = 'down',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if scale <= 0:
            raise ValueError(f'scale must be positive, got {scale}')
        if rounding not in ('down', 'up'):
            raise ValueError(f"rounding must be 'down' or 'up', got {rounding!r}")
        _check_size(min_size, divisor)
        self.factor = scale
        self.min_size = tuple(min_size)
        self.divisor = divisor
        self.rounding = rounding

    def new_size(self, size: Size) -> Size:
        """(height, width) of an image to what it becomes."""
        height, width = (int(side * self.factor) for side in size)
        least_height, least_width = self.min_size
        if height >= least_height and width >= least_width:
            up = self.rounding == 'up'
            return self._multiple(height, up), self._multiple(width, up)
        # As fractions of their least lengths, without division.
        if width * least_height < height * least_width:
            return self._multiple(height * least_width // width, up=True), least_width
        return least_height, self._multiple(width * least_height // height, up=True)

    def _multiple(self, side: int, up: bool) -> int:
        return (side // self.divisor + up) * self.divisor

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale={self.factor}, min_size={self.min_size}, divisor={self.divisor}, '
            f'rounding={self.rounding!r}, backend={self.backend!r}, interpolation={self.interpolation!r})'
        )


def _check_size(min_size: Size, divisor: int) -> None:
    if divisor < 1:
        raise ValueError(f'divisor must be at least 1, got {divisor}')
    if len(min_size) != 2 or any(side < divisor or side % divisor for side in min_size):
        raise ValueError(
            f'min_size must be a height and a width, multiples of divisor={divisor}, got {tuple(min_size)}'
        )
