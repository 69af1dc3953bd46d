"""From a specimen to the image of a camera: depth, light, noise, colour, compression."""

import math

import cv2
import numpy as np

from .layout import CellLayout, draw_range
from .options import CellOptions
from .render import draw_cells

__all__ = ['photograph']

_PLANES = 3
# base, slope of the brightness from the middle to the outline
_PROFILES = {'flat': (1.0, 0.0), 'dome': (1.0, -0.7), 'ring': (0.4, 0.6)}
_OVERLAPS = ('add', 'maximum', 'cover')
# Absorbance of stains per channel B, G, R: none, blue, violet, brown, red.
_STAINS = ((1.0, 1.0, 1.0), (0.4, 0.8, 1.0), (0.45, 1.0, 0.75), (1.0, 0.8, 0.55), (0.8, 1.0, 0.25))


def photograph(cells: CellLayout, options: CellOptions, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Draw the image of cells.

    Args:
        cells: Layout of the cells.
        options: Ranges to draw from.
        rng: Source of all choices.

    Returns:
        (height, width, 3) uint8 BGR, and if it is a bright-field image.
    """
    brightfield = bool(rng.random() < options.brightfield_prob)
    signal = _specimen(cells, options, rng)
    light = _light(options, rng)
    level = _exposure(options, rng)
    background = draw_range(rng, options.background) * _mottle(options, rng)
    if brightfield:
        # Beer and Lambert: a stain absorbs a share of the light that is left.
        absorbance = signal * draw_range(rng, (0.35, 1.6)) + background * 0.5
        rim = draw_range(rng, (0.0, 0.8)) * (rng.random() < 0.4)
        if rim:  # refraction makes edges darker, with a bright line around them
            absorbance += rim * (absorbance - cv2.GaussianBlur(absorbance, (0, 0), 0.25 * cells.radius + 0.5))
        white = light * np.float32(min(max(level, 0.6), 1.2))
        stain = _stain(rng)
        colours = stain[:1] if stain.min() == 1 else stain
        channels = [white * np.exp(-absorbance * np.float32(colour)) for colour in colours]
        gains = np.ones(3)
    else:
        # A camera is set so that the brightest cells, overlap included, use its range.
        top = max(float(np.quantile(signal[::3, ::3], 0.995)), 0.5) if len(cells) else 1.0
        channels = [(background + (1 - background) * signal / np.float32(top)) * light * np.float32(level)]
        gains = _tint(rng)
    return _develop(channels, gains, options, rng), brightfield


def _specimen(cells: CellLayout, options: CellOptions, rng: np.random.Generator) -> np.ndarray:
    """(height, width) float32: light of the cells, about 1 where one is bright and in focus."""
    profile = list(_PROFILES)[_choose(rng, options.profile_weights)]
    overlap = _OVERLAPS[_choose(rng, options.overlap_weights)]
    spread = draw_range(rng, options.brightness_spread)
    brightness = np.exp(spread * rng.standard_normal(len(cells)) - spread)
    planes = rng.integers(_PLANES, size=len(cells))
    strong = rng.random() < options.strong_blur_prob
    blur = draw_range(rng, options.strong_blur if strong else options.blur)
    blur = min(blur, options.max_blur_per_radius * cells.radius)
    depth = draw_range(rng, options.depth_blur)
    margin = math.ceil(3 * blur * (1 + 2 * depth)) + 2
    edge = draw_range(rng, options.edge)
    drawn = draw_cells(cells, brightness, edge, _PROFILES[profile], planes, _PLANES, overlap, options.canvas, margin)
    height, width = drawn.shape[1:]
    if rng.random() < options.texture_prob:
        contrast = draw_range(rng, options.texture)
        drawn *= np.clip(1 + contrast * _texture(rng, (height, width), cells.radius), 0.1, None)
    debris = rng.random() < options.debris_prob
    if debris:
        _draw_debris(drawn, options, cells.radius, rng)
    for plane in range(_PLANES):
        sigma = blur * (1 + depth * plane)
        if sigma >= 0.3:
            drawn[plane] = cv2.GaussianBlur(drawn[plane], (0, 0), sigma)
    light = drawn.max(axis=0) if overlap == 'maximum' else drawn.sum(axis=0)
    inner = np.s_[margin : height - margin, margin : width - margin]
    if rng.random() < options.haze_prob:
        share = draw_range(rng, options.haze)
        light = (1 - share) * light + share * _smooth(light, 3 * cells.radius)
    return np.ascontiguousarray(light[inner])


def _choose(rng: np.random.Generator, weights: tuple[float, ...]) -> int:
    edges = np.cumsum(weights)
    return int(np.searchsorted(edges, rng.random() * edges[-1], side='right'))


def _smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """A strong Gaussian blur, on a reduced image."""
    factor = max(1, int(sigma / 2))
    height, width = image.shape
    small = cv2.resize(image, (-(-width // factor), -(-height // factor)), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / factor), (width, height))


def _noise_field(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """(height, width) float32 noise of about unit variance whose patches are about ``scale`` px wide."""
    size = tuple(max(2, math.ceil(side / scale) + 1) for side in shape)
    coarse = rng.standard_normal(size, dtype=np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC) * np.float32(1.3)


def _texture(rng: np.random.Generator, shape: tuple[int, int], radius: float) -> np.ndarray:
    coarse, fine = (_noise_field(rng, shape, max(radius * share, 1.0)) for share in (0.6, 0.25))
    return 0.7 * coarse + 0.5 * fine


def _draw_debris(planes: np.ndarray, options: CellOptions, radius: float, rng: np.random.Generator) -> None:
    """Add specks far smaller than cells, and thin fibres."""
    height, width = planes.shape[1:]
    number = int(rng.poisson(draw_range(rng, options.debris_density) * height * width / 1e4))
    for _ in range(number):
        plane = planes[rng.integers(_PLANES)]
        x, y, size, strength, angle, fibre = rng.random(6)
        start = (int(x * width), int(y * height))
        bright = float(0.2 + 0.9 * strength)
        if fibre < 0.15:
            length = radius * (2 + 6 * size)
            end = (int(start[0] + length * math.cos(6.283 * angle)), int(start[1] + length * math.sin(6.283 * angle)))
            cv2.line(plane, start, end, bright * 0.6, 1, cv2.LINE_AA)
        else:
            cv2.circle(plane, start, int(radius * (0.1 + 0.2 * size)), bright, -1)


def _light(options: CellOptions, rng: np.random.Generator) -> np.ndarray:
    """(height, width) float32: share of the light that arrives."""
    height, width = options.canvas
    ramp, vignette = draw_range(rng, options.light_ramp), draw_range(rng, options.vignette)
    angle, middle_x, middle_y = 2 * math.pi * rng.random(), rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4)
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    along = (np.float32(math.cos(angle)) * x + np.float32(math.sin(angle)) * y) / np.float32(math.sqrt(2))
    radial = ((x - np.float32(middle_x)) ** 2 + (y - np.float32(middle_y)) ** 2) / np.float32(3.92)
    return (1 - np.float32(ramp) * (1 + along) / 2) * (1 - np.float32(vignette) * radial)


def _mottle(options: CellOptions, rng: np.random.Generator) -> np.ndarray:
    contrast = draw_range(rng, options.background_mottle)
    scale = draw_range(rng, (12.0, 100.0), log=True)
    return np.clip(1 + np.float32(contrast) * _noise_field(rng, options.canvas, scale), 0, None)


def _exposure(options: CellOptions, rng: np.random.Generator) -> float:
    saturated = rng.random() < options.saturated_prob
    return draw_range(rng, options.saturated_exposure if saturated else options.exposure)


def _stain(rng: np.random.Generator) -> np.ndarray:
    """Absorbance (3,) of a stain in B, G, R; all 1 for an image without colour."""
    stain = np.array(_STAINS[rng.integers(len(_STAINS))])
    return np.clip(stain + rng.uniform(-0.1, 0.1, 3), 0.1, 0.99) if stain.min() < 1 else stain


def _tint(rng: np.random.Generator) -> np.ndarray:
    """Gains (3,) of B, G, R that show an image without colour: one channel, grey, or a tint."""
    kind, channel, tint = rng.random(), rng.integers(3), rng.uniform(0.1, 1, 3)
    if kind < 0.4:
        return np.eye(3)[channel]
    return np.ones(3) if kind < 0.75 else tint / tint.max()


def _develop(
    channels: list[np.ndarray], gains: np.ndarray, options: CellOptions, rng: np.random.Generator
) -> np.ndarray:
    """What a camera makes of light (height, width), of one channel or of three: (height, width, 3) uint8."""
    photons = draw_range(rng, options.photons, log=True)
    read_noise = draw_range(rng, options.read_noise)
    gamma = draw_range(rng, options.gamma, log=True)
    denoise = rng.random() < options.denoise_prob
    smoothing = draw_range(rng, (0.6, 1.1))
    compress, quality = rng.random() < options.jpeg_prob, round(draw_range(rng, options.jpeg_quality))
    curve = np.linspace(0, 1, 1024) ** gamma
    developed = []
    for channel in channels:
        # Shot noise of many photons is normal, with the variance of the light.
        sigma = np.sqrt(channel / np.float32(photons) + np.float32(read_noise**2))
        noisy = channel + sigma * rng.standard_normal(channel.shape, dtype=np.float32)
        if denoise:
            noisy = cv2.GaussianBlur(noisy, (0, 0), smoothing)
        # A table costs less than a power of every pixel.
        developed.append(np.clip(noisy * 1023 + 0.5, 0, 1023).astype(np.int16))
    tables = [np.rint(255 * gain * curve).astype(np.uint8) for gain in gains]
    image = np.empty((*channels[0].shape, 3), dtype=np.uint8)
    for k, table in enumerate(tables):
        image[..., k] = table[developed[k % len(developed)]]
    if compress:
        encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
    return image
