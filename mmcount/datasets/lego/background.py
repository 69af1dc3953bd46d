"""Backgrounds of scenes: patches of real photos, 1/f noise, or nothing."""

import warnings
from functools import lru_cache

import cv2
import numpy as np

__all__ = ['BACKGROUNDS', 'background_bank', 'draw_background', 'pink_noise']

BACKGROUNDS = ('photo', 'noise', 'black')


def pink_noise(size: int = 512, seed: int = 2015) -> np.ndarray:
    """A field whose amplitude falls with 1/f, as that of natural images does.

    Args:
        size: Side length in pixels.
        seed: Seed of the random phases.

    Returns:
        (size, size) uint8, stretched to 0..255; opposite sides fit together.
    """
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(spectrum / frequency, s=(size, size))
    field -= field.min()
    return np.rint(field * (255.0 / field.max())).astype(np.uint8)


@lru_cache(maxsize=3)
def background_bank(kind: str) -> tuple[np.ndarray, ...]:
    """Grey pictures that patches are cut from.

    Args:
        kind: ``'photo'`` for the two sample photos of scikit-learn (1/f noise with a warning where they are missing),
            ``'noise'`` for 1/f noise, ``'black'`` for none.

    Returns:
        (h, w) uint8 arrays; no array for ``'black'``.

    Raises:
        ValueError: Unknown kind.
    """
    if kind not in BACKGROUNDS:
        raise ValueError(f'background must be one of {BACKGROUNDS}, got {kind!r}')
    if kind == 'black':
        return ()
    if kind == 'noise':
        return (pink_noise(),)
    try:
        from sklearn.datasets import load_sample_images

        return tuple(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) for photo in load_sample_images().images)
    except (ImportError, OSError) as error:
        warnings.warn(f'sample photos of scikit-learn not found ({error}); backgrounds are 1/f noise', stacklevel=2)
        return background_bank('noise')


def draw_background(kind: str, shape: tuple[int, int], level: float, rng: np.random.Generator) -> np.ndarray:
    """Cut a random patch and stretch its greys to the allowed brightness.

    Args:
        kind: See :func:`background_bank`.
        shape: Height and width in pixels.
        level: Brightness of the lightest pixel, 0..1; the darkest is black.
        rng: Source of the position and of the mirroring.

    Returns:
        (height, width) uint8.
    """
    bank = background_bank(kind)
    if not bank:
        return np.zeros(shape, dtype=np.uint8)
    picture = bank[rng.integers(len(bank))]
    fit = max(shape[0] / picture.shape[0], shape[1] / picture.shape[1])
    if fit > 1:
        width, height = (int(np.ceil(side * fit)) for side in picture.shape[::-1])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    y = int(rng.integers(picture.shape[0] - shape[0] + 1))
    x = int(rng.integers(picture.shape[1] - shape[1] + 1))
    patch = picture[y : y + shape[0], x : x + shape[1]]
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    low, high = int(patch.min()), int(patch.max())
    gain = level * 255.0 / max(high - low, 1)
    # A table of 256 greys costs less than a float pass over the patch.
    table = np.clip((np.arange(256) - low) * gain, 0, 255).astype(np.uint8)
    return cv2.LUT(np.ascontiguousarray(patch), table)
