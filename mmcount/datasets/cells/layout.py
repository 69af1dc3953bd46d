"""Cells of an image before any light: how many, where, how large, of which shape."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .options import CellOptions

__all__ = ['CellLayout', 'draw_layout', 'draw_range']

# Waves around an outline.
WAVES = (2, 3, 4, 5)
# Points of the outline that boxes and centroids are read off.
_OUTLINE = 48
_STEPS = 6


@dataclass(frozen=True, eq=False)
class CellLayout:
    """N cells of an image and of a frame around it, so that cells reach in from outside.

    The outline of a cell in its own frame, long axis along x, is ``(a x, b y)`` over the points (x, y) at angle t and
    distance ``1 + Re sum_k waves[k] exp(i k t)``, with ``a = radius sqrt(elongation)`` and ``b = radius^2 / a``.

    Args:
        radius: Mean radius in px.
        centres: (N, 2) float64, x and y of the centroids of the outlines in px, pixel centres at integers.
        radii: (N,) float64, px.
        elongations: (N,) float64, long axis through short axis.
        angles: (N,) float64, direction of the long axis in radians.
        waves: (N, 4) complex128, amplitude and phase of 2, 3, 4 and 5 waves around the outline.
        shifts: (N, 2) float64, centroid of the outline of radius 1 in the frame of the cell.
        boxes: (N, 4) float64, boxes around the outlines, xyxy in px (edges).
        inside: (N,) bool, cells whose centre is in the image.
    """

    radius: float
    centres: np.ndarray
    radii: np.ndarray
    elongations: np.ndarray
    angles: np.ndarray
    waves: np.ndarray
    shifts: np.ndarray
    boxes: np.ndarray
    inside: np.ndarray

    def __len__(self) -> int:
        return len(self.radii)

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Half axes (N,) of the cells in px, long and short."""
        root = np.sqrt(self.elongations)
        return self.radii * root, self.radii / root


def draw_range(rng: np.random.Generator, ends: tuple[float, float], log: bool = False) -> float:
    """Draw a number of a range, uniformly or log-uniformly."""
    unit = rng.random()
    if log:
        return math.exp(math.log(ends[0]) + unit * (math.log(ends[1]) - math.log(ends[0])))
    return ends[0] + unit * (ends[1] - ends[0])


def draw_layout(options: CellOptions, rng: np.random.Generator) -> CellLayout:
    """Draw the cells of one image.

    Args:
        options: Ranges to draw from.
        rng: Source of all choices.
    """
    height, width = options.canvas
    radius = draw_range(rng, options.radius, log=True)
    spread = draw_range(rng, options.radius_spread)
    low, high = options.coverage
    coverage = low + (high - low) * rng.random() ** options.coverage_power
    density = min(coverage / (math.pi * radius**2), options.max_density / 1e4)
    if rng.random() < options.empty_prob:
        density = 0.0
    margin = 2 * radius
    frame = np.array([width + 2 * margin, height + 2 * margin])
    number = math.floor(density * frame.prod() + rng.random()) if density else 0
    centres = _draw_places(options, rng, number, radius, frame)
    radii = radius * np.clip(1 + spread * rng.standard_normal(number), 0.5, 1.6)
    centres = _push_apart(centres, radii, draw_range(rng, options.min_distance), rng) - margin - 0.5
    elongations = 1 + (draw_range(rng, options.elongation) - 1) * rng.random(number)
    angles = rng.random(number) * math.pi
    roughness = draw_range(rng, options.roughness)
    # More waves are weaker, and no sum of them folds an outline.
    sizes = np.minimum(np.abs(rng.standard_normal((number, len(WAVES)))), 2) * roughness / (np.array(WAVES) / 2)
    waves = sizes * np.exp(2j * math.pi * rng.random((number, len(WAVES))))
    shifts, boxes = _outline_geometry(centres, radii, elongations, angles, waves)
    inside = np.all((centres >= -0.5) & (centres < np.array([width, height]) - 0.5), axis=1)
    return CellLayout(radius, centres, radii, elongations, angles, waves, shifts, boxes, inside)


def _draw_places(
    options: CellOptions, rng: np.random.Generator, number: int, radius: float, frame: np.ndarray
) -> np.ndarray:
    """(N, 2) places in a frame of (width, height), uniform or partly in clusters."""
    places = rng.random((number, 2)) * frame
    clustered = rng.random() < options.cluster_prob
    share, spread = draw_range(rng, options.cluster_share), draw_range(rng, options.cluster_spread)
    if clustered and number:
        members = round(share * number)
        low, high = options.cluster_size
        sizes = np.floor(rng.uniform(low, high + 1, size=members + 1)).astype(int)
        owners = np.searchsorted(np.cumsum(sizes), np.arange(members), side='right')
        middles = rng.random((members + 1, 2)) * frame
        spreads = spread * radius * np.sqrt(sizes[owners])[:, None]
        places[:members] = middles[owners] + spreads * rng.standard_normal((members, 2))
        # A cluster at the border goes on at the other side: the density stays the same everywhere.
        places %= frame
    return places


def _push_apart(places: np.ndarray, radii: np.ndarray, distance: float, rng: np.random.Generator) -> np.ndarray:
    """Push places apart that are closer than ``distance`` mean radii of the pair; a few steps, not to the end."""
    if len(places) < 2 or distance == 0:
        return places
    places = places + 1e-3 * rng.standard_normal(places.shape)  # none coincide
    for _ in range(_STEPS):
        pairs = cKDTree(places).query_pairs(distance * radii.max(), output_type='ndarray')
        first, second = pairs.T
        offsets = places[first] - places[second]
        lengths = np.maximum(np.hypot(offsets[:, 0], offsets[:, 1]), 1e-6)
        wanted = distance * (radii[first] + radii[second]) / 2
        step = (np.maximum(wanted - lengths, 0) / lengths * 0.4)[:, None] * offsets
        for axis in (0, 1):
            places[:, axis] += np.bincount(first, step[:, axis], len(places))
            places[:, axis] -= np.bincount(second, step[:, axis], len(places))
    return places


def _outline_geometry(
    centres: np.ndarray, radii: np.ndarray, elongations: np.ndarray, angles: np.ndarray, waves: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (N, 2) of outlines of radius 1 in the cells' frames, and boxes (N, 4) around cells whose centroid is
    at their centre."""  # noqa: D205, D209
    turns = np.exp(2j * math.pi * np.arange(_OUTLINE) / _OUTLINE)
    distance = 1 + (waves @ turns[None] ** np.array(WAVES)[:, None]).real  # (N, _OUTLINE)
    # Centroid of r(t): integral of r^3 exp(it) / 3 over integral of r^2 / 2.
    middle = (distance**3 @ turns) / 3 / np.maximum((distance**2).sum(axis=1) / 2, 1e-9)
    local = distance * turns - middle[:, None]
    root = np.sqrt(elongations)
    long, short = (radii * root)[:, None] * local.real, (radii / root)[:, None] * local.imag
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y = cos * long - sin * short, sin * long + cos * short
    corners = [x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)] if len(radii) else [np.empty(0)] * 4
    boxes = np.stack(corners, axis=1) + np.tile(centres, 2) + 0.5
    return np.stack([middle.real, middle.imag], axis=1), boxes
