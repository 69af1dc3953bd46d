"""Options of generated cell images."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

__all__ = ['CellOptions']

Range = tuple[float, float]

# Name -> bounds; a range must rise and lie inside, a number must lie inside.
_BOUNDS: dict[str, tuple[float, float]] = {
    'radius': (1.5, 200), 'radius_spread': (0, 0.5), 'coverage': (0, 3), 'coverage_power': (0.1, 10),
    'max_density': (0, 1000), 'empty_prob': (0, 1), 'cluster_prob': (0, 1), 'cluster_share': (0, 1),
    'cluster_size': (1, 10_000), 'cluster_spread': (0.1, 100), 'min_distance': (0, 3), 'elongation': (1, 4),
    'roughness': (0, 0.3), 'edge': (0.02, 1), 'profile_weights': (0, math.inf), 'overlap_weights': (0, math.inf),
    'brightness_spread': (0, 2), 'texture_prob': (0, 1), 'texture': (0, 0.9), 'brightfield_prob': (0, 1),
    'blur': (0, 50), 'strong_blur_prob': (0, 1), 'strong_blur': (0, 50), 'max_blur_per_radius': (0, 5),
    'depth_blur': (0, 5), 'haze_prob': (0, 1), 'haze': (0, 1), 'debris_prob': (0, 1), 'debris_density': (0, 100),
    'background': (0, 0.9), 'background_mottle': (0, 1), 'light_ramp': (0, 0.9), 'vignette': (0, 0.9),
    'exposure': (0.01, 10), 'saturated_prob': (0, 1), 'saturated_exposure': (0.01, 10), 'photons': (1, 1e9),
    'read_noise': (0, 0.5), 'denoise_prob': (0, 1), 'gamma': (0.2, 5), 'jpeg_prob': (0, 1), 'jpeg_quality': (1, 100),
}  # fmt: skip
# What warm-up leaves as it is: how many cells there are is what has to be learnt.
_ALWAYS = ('coverage', 'cluster_size', 'empty_prob', 'cluster_prob')
# Entries that weigh alternatives: any order.
_WEIGHTS = {'profile_weights': ('flat', 'dome', 'ring'), 'overlap_weights': ('add', 'maximum', 'cover')}


@dataclass(frozen=True)
class CellOptions:
    """Options of generated cell images; every range is inclusive and drawn from once per image.

    Lengths are in px, "per radius" means in units of the mean radius of the image.

    Args:
        canvas: Height and width of the image in px.
        radius: Mean radius of the cells of an image in px, drawn log-uniformly: a cell of radius r covers pi r^2.
        radius_spread: Standard deviation of the radii inside an image, as a share of the mean radius.
        coverage: Sum of the cells' areas as a share of the image, before overlap.
        coverage_power: Coverage is drawn as low + (high - low) u^power with u uniform in 0..1: above 1 favours sparse
            images.
        max_density: Most cells per 100 x 100 px, whatever their coverage.
        empty_prob: Chance of an image without cells.
        cluster_prob: Chance of an image whose cells form clusters.
        cluster_share: Share of the cells that lie in clusters, in such images.
        cluster_size: Cells of a cluster.
        cluster_spread: Standard deviation of the places in a cluster of n cells, per radius and root of n: the middle
            of a cluster is covered 0.5 / spread^2 times.
        min_distance: Distance that centres are pushed apart to, per radius; crowded centres stay closer.
        elongation: Largest ratio of long to short axis of the cells of an image; each cell draws its own from 1 on.
        roughness: Amplitude of the waves of the outline (2 to 5 around it), as a share of the radius.
        edge: Width of the soft edge, as a share of the radius.
        profile_weights: Weights of cells that are equally bright ('flat'), bright in the middle ('dome') and bright
            along the outline ('ring').
        overlap_weights: Weights of how cells of one depth combine: 'add', 'maximum', 'cover'.
        brightness_spread: Standard deviation of the logarithm of the cells' brightness.
        texture_prob: Chance of textured cells.
        texture: Relative contrast of their texture.
        brightfield_prob: Chance of a bright-field image (absorbing cells before a bright background) instead of a
            fluorescence image (bright cells before a dark one).
        blur: Standard deviation of the blur in focus.
        strong_blur_prob: Chance that it is drawn from ``strong_blur``.
        strong_blur: See above.
        max_blur_per_radius: Largest blur in focus per radius, so that cells stay visible.
        depth_blur: Further blur of the two depths out of focus, as a share of the blur in focus, per depth.
        haze_prob: Chance of haze: light of cells far out of focus.
        haze: Share of the light that becomes haze.
        debris_prob: Chance of debris: bright specks and fibres that are no cells.
        debris_density: Pieces of debris per 100 x 100 px.
        background: Brightness of the background, as a share of the cells' (absorbance in bright-field).
        background_mottle: Relative contrast of slow patches in the background.
        light_ramp: Loss of light from one edge of the image to the opposite one.
        vignette: Loss of light in the corners.
        exposure: Level of bright cells, or of the empty bright field, at 1.0 the end of the range.
        saturated_prob: Chance that the exposure is drawn from ``saturated_exposure``.
        saturated_exposure: See above.
        photons: Photons per pixel at the end of the range, drawn log-uniformly: fewer mean more noise.
        read_noise: Noise of the camera, as a share of the range.
        denoise_prob: Chance of an image smoothed after the noise.
        gamma: Exponent of the camera's curve, drawn log-uniformly.
        jpeg_prob: Chance of a compressed image.
        jpeg_quality: Its quality.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> CellOptions(radius=(5, 8), coverage=0.3).coverage
        (0.3, 0.3)
    """

    canvas: tuple[int, int] = (256, 256)
    radius: Range = (4.0, 8.0)
    radius_spread: Range = (0.03, 0.22)
    coverage: Range = (0.0, 0.6)
    coverage_power: float = 1.0
    max_density: float = 55.0
    empty_prob: float = 0.04
    cluster_prob: float = 0.6
    cluster_share: Range = (0.3, 0.9)
    cluster_size: Range = (4, 40)
    cluster_spread: Range = (0.5, 1.6)
    min_distance: Range = (0.6, 2.0)
    elongation: Range = (1.1, 1.7)
    roughness: Range = (0.0, 0.13)
    edge: Range = (0.06, 0.3)
    profile_weights: tuple[float, float, float] = (0.46, 0.46, 0.08)
    overlap_weights: tuple[float, float, float] = (0.4, 0.3, 0.3)
    brightness_spread: Range = (0.05, 0.5)
    texture_prob: float = 0.75
    texture: Range = (0.05, 0.4)
    brightfield_prob: float = 0.2
    blur: Range = (0.3, 2.2)
    strong_blur_prob: float = 0.1
    strong_blur: Range = (2.2, 3.0)
    max_blur_per_radius: float = 0.3
    depth_blur: Range = (0.0, 0.5)
    haze_prob: float = 0.5
    haze: Range = (0.02, 0.3)
    debris_prob: float = 0.3
    debris_density: Range = (0.1, 4.0)
    background: Range = (0.0, 0.25)
    background_mottle: Range = (0.0, 0.3)
    light_ramp: Range = (0.0, 0.45)
    vignette: Range = (0.0, 0.35)
    exposure: Range = (0.35, 1.0)
    saturated_prob: float = 0.15
    saturated_exposure: Range = (1.0, 1.6)
    photons: Range = (100.0, 2000.0)
    read_noise: Range = (0.0, 0.03)
    denoise_prob: float = 0.3
    gamma: Range = (0.7, 1.4)
    jpeg_prob: float = 0.25
    jpeg_quality: Range = (60, 95)

    def __post_init__(self) -> None:
        canvas = tuple(self.canvas)
        if len(canvas) != 2 or min(canvas) < 8 or any(side % 1 for side in canvas):
            raise ValueError(f'canvas must be (height, width) of at least 8 whole px, got {self.canvas}')
        object.__setattr__(self, 'canvas', (int(canvas[0]), int(canvas[1])))
        defaults = {field.name: field.default for field in fields(self)}
        for name, (low, high) in _BOUNDS.items():
            value = getattr(self, name)
            if name in _WEIGHTS:
                self._check_weights(name, value)
                continue
            is_range = isinstance(defaults[name], tuple)
            ends = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
            if len(ends) != 2 or not low <= ends[0] <= ends[1] <= high or (not is_range and ends[0] is not value):
                wanted = 'a number or a rising (low, high) range' if is_range else 'a number'
                raise ValueError(f'{name} must be {wanted} in {low}..{high}, got {value}')
            if is_range:
                object.__setattr__(self, name, ends)

    def _check_weights(self, name: str, value: object) -> None:
        names = _WEIGHTS[name]
        weights = tuple(value) if isinstance(value, (tuple, list)) else ()
        if len(weights) != len(names) or not all(0 <= weight < math.inf for weight in weights) or not sum(weights) > 0:
            raise ValueError(f'{name} must be {len(names)} weights >= 0 of {names}, not all zero, got {value}')
        object.__setattr__(self, name, weights)

    def narrowed(self, share: float) -> 'CellOptions':
        """Shrink every range around its middle, and every chance of a disturbance, to a share of what it was.

        How many cells there are and how they cluster stays. A network that starts with cells of one size and light
        finds out soon what to count.

        Args:
            share: In 0..1; 1 changes nothing.

        Example:
            >>> CellOptions(blur=(1, 3), haze_prob=0.5).narrowed(0.5).blur
            (1.5, 2.5)
        """
        changed: dict[str, Any] = {}
        for name in _BOUNDS:
            value = getattr(self, name)
            if name in _WEIGHTS or name in _ALWAYS or share == 1:
                continue
            if isinstance(value, tuple):
                middle, half = (value[0] + value[1]) / 2, (value[1] - value[0]) / 2 * share
                changed[name] = (middle - half, middle + half)
            elif name.endswith('_prob'):
                changed[name] = value * share
        return replace(self, **changed)
