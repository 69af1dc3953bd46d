"""Brightness and contrast brought to one scale."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmcount.registry import TRANSFORMS

from .loading import image_name

__all__ = ['PhotometricNormalise']

# No bright field is darker than this in its median.
_DARK_BACKGROUND = 48


@TRANSFORMS.register_module()
class PhotometricNormalise(BaseTransform):
    """Bring objects of any brightness, colour and polarity to bright grey ones before a dark background.

    Of a colour image the brightest channel of each pixel is taken, or, of a bright field, the darkest one, inverted.
    A low percentile of the grey values goes to 0 and a high one to ``level``, both read off a blurred copy, in which
    noise and single hot pixels are weak. A nearly empty image has no such contrast: the range is at least ``min_range``
    grey values and at least ``noise_factor`` standard deviations of the noise, so that noise never becomes objects.

    It is a part of a model's own pipeline, in training, test and inference alike: a network that was trained on
    normalised images counts only those. Put it right after the image is loaded, before crops: percentiles are those of
    the whole image.

    Required keys: ``img`` (H, W, 3) or (H, W) uint8. Modified: ``img``, (H, W, 3) uint8, three equal channels.

    Args:
        low: Percentile that goes to 0.
        high: Percentile that goes to ``level``.
        level: Grey value of the high percentile; brighter pixels have the room up to 255.
        blur: Standard deviation in px of the blur of the copy.
        min_range: Smallest range in grey values that is spread.
        noise_factor: The same in standard deviations of the noise.
        polarity: 'bright' objects, 'dark' ones, or 'auto': dark if the details of the image, blobs of about 4 to 30 px,
            are skewed to the dark side and its median is not dark itself.

    Raises:
        ValueError: An argument is out of range.
        TypeError: The image is not uint8.

    Example:
        >>> image = np.full((32, 32, 3), 20, np.uint8)
        >>> image[10:20, 10:20, 2] = 90
        >>> results = PhotometricNormalise().transform(dict(img=image))
        >>> int(results['img'][0, 0].max()) <= 1, int(results['img'].max()) > 180
        (True, True)
    """

    def __init__(
        self,
        low: float = 3.0,
        high: float = 99.5,
        level: int = 204,
        blur: float = 1.5,
        min_range: float = 16.0,
        noise_factor: float = 6.0,
        polarity: str = 'auto',
    ) -> None:
        if not 0 <= low < high <= 100:
            raise ValueError(f'low and high must be rising percentiles in 0..100, got low={low}, high={high}')
        if not 1 <= level <= 255:
            raise ValueError(f'level must be a grey value in 1..255, got {level}')
        if blur <= 0 or min_range < 1 or noise_factor < 0:
            raise ValueError(
                f'blur must be > 0, min_range >= 1 and noise_factor >= 0, got blur={blur}, min_range={min_range}, '
                f'noise_factor={noise_factor}'
            )
        if polarity not in ('auto', 'bright', 'dark'):
            raise ValueError(f"polarity must be 'auto', 'bright' or 'dark', got {polarity!r}")
        self.low, self.high, self.level, self.blur = low, high, level, blur
        self.min_range, self.noise_factor, self.polarity = min_range, noise_factor, polarity

    def transform(self, results: dict) -> dict:
        """Normalise ``results['img']``."""
        image = results['img']
        if image.dtype != np.uint8:
            raise TypeError(f'{image_name(results)} has pixels of type {image.dtype}, expected uint8')
        channels = [image] if image.ndim == 2 else cv2.split(image)
        grey = _extreme(channels, np.maximum)
        smooth = cv2.GaussianBlur(grey, (0, 0), self.blur)
        darkest = _extreme(channels, np.minimum)
        # Where light passes an empty place, it is bright in every channel.
        can_be_dark = 4 * int(darkest.max()) > int(grey.max())
        if self.polarity == 'dark' or (self.polarity == 'auto' and can_be_dark and _has_dark_objects(grey)):
            grey = cv2.bitwise_not(darkest)
            smooth = cv2.GaussianBlur(grey, (0, 0), self.blur)
        low, high = _percentiles(smooth, (self.low, self.high))
        # Half of a normal distribution lies within 0.6745 standard deviations.
        noise = _percentiles(cv2.absdiff(grey, smooth), (50.0,))[0] / 0.6745
        span = max(high - low, self.min_range, self.noise_factor * noise)
        table = np.clip((np.arange(256) - low) * (self.level / span), 0, 255)
        results['img'] = cv2.merge([cv2.LUT(grey, np.rint(table).astype(np.uint8))] * 3)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(low={self.low}, high={self.high}, level={self.level}, blur={self.blur}, '
            f'min_range={self.min_range}, noise_factor={self.noise_factor}, polarity={self.polarity!r})'
        )


def _extreme(channels: Sequence[np.ndarray], choose: np.ufunc) -> np.ndarray:
    grey = channels[0]
    for channel in channels[1:]:
        grey = choose(grey, channel)
    return np.ascontiguousarray(grey)


def _has_dark_objects(grey: np.ndarray) -> bool:
    """If blobs of (H, W) uint8 are darker than what surrounds them, by the skewness of a band of sizes."""
    if np.median(grey) < _DARK_BACKGROUND:
        return False
    pixels = grey.astype(np.float32)
    band = cv2.GaussianBlur(pixels, (0, 0), 2.0) - cv2.GaussianBlur(pixels, (0, 0), 6.0)
    return bool((band * band * band).sum(dtype=np.float64) < 0)


def _percentiles(image: np.ndarray, percents: tuple[float, ...]) -> list[float]:
    """Percentiles of uint8 pixels, between grey values as if each were spread evenly over its bin."""
    totals = np.concatenate([[0.0], np.cumsum(np.bincount(image.ravel(), minlength=256))])
    return [float(np.interp(percent / 100 * totals[-1], totals, np.arange(257) - 0.5)) for percent in percents]
