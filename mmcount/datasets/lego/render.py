"""Drawing one object: its digits placed, turned, scaled and lit on a small transparent tile."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .classes import LegoClass
from .options import SceneOptions
from .parts import DigitParts

__all__ = ['LegoObject', 'light', 'render_object']

# Interpolation leaves a faint rim; what is under this level is cleared, so that a box can hold all ink and be tight.
_INK_THRESHOLD = 60


@dataclass(frozen=True, eq=False)
class LegoObject:
    """One drawn object, cut to its ink.

    Args:
        tile: Ink before lighting, (h, w) uint8; 0 is transparent. Every side touches ink.
        part_tiles: The same for each digit, all in the frame of ``tile``.
        part_boxes: Tight box (x1, y1, x2, y2) of each digit in the frame of ``tile``, (K, 4) int64.
        digits: Digit of each part.
        gain: Brightness factor.
        ramp: Change of brightness along x and y, from the middle of the tile to its edge.
    """

    tile: np.ndarray
    part_tiles: tuple[np.ndarray, ...]
    part_boxes: np.ndarray
    digits: tuple[int, ...]
    gain: float
    ramp: tuple[float, float]


def _between(unit: float, ends: tuple[float, float]) -> float:
    return ends[0] + unit * (ends[1] - ends[0])


def _part_matrix(box: np.ndarray, draws: np.ndarray, turn: tuple[float, float], options: SceneOptions) -> list[float]:
    """Linear map of a digit's source pixels to canvas pixels: fit to the part size, shear, then turn."""
    longest = float(max(box[2] - box[0], box[3] - box[1]))
    zoom = options.part_size * _between(draws[0], options.part_scale_range) / longest
    shear = (2 * draws[1] - 1) * options.part_shear
    cos, sin = turn
    return [cos * zoom, (cos * shear + sin) * zoom, -sin * zoom, (cos - sin * shear) * zoom]


def _shrunk(image: np.ndarray, linear: list[float]) -> tuple[np.ndarray, float]:
    """Average a source image down before a strong reduction, which bilinear sampling would alias."""
    zoom = math.sqrt(abs(linear[0] * linear[3] - linear[1] * linear[2]))
    if zoom >= 0.6:
        return image, 1.0
    side = max(2, round(max(image.shape) * zoom))
    factor = side / max(image.shape)
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), factor


def render_object(kind: LegoClass, parts: DigitParts, options: SceneOptions, rng: np.random.Generator) -> LegoObject:
    """Draw one object of a class from random digits.

    Args:
        kind: The class: digits and their places.
        parts: Where digit images come from.
        options: Ranges of size, rotation and lighting.
        rng: Source of all choices. The number of draws depends on ``kind`` only.
    """
    draws = rng.random(5 + 3 * len(kind.digits))
    scale = _between(draws[0], options.scale_range)
    angle = math.radians(_between(draws[1], options.orient_range))
    # Screen y points down, so this turns counter-clockwise as seen.
    turn = (math.cos(angle) * scale, math.sin(angle) * scale)
    pitch = options.part_size
    placed, reach = [], []
    for k, (digit, (ox, oy)) in enumerate(zip(kind.digits, kind.offsets, strict=True)):
        own = draws[5 + 3 * k : 8 + 3 * k]
        indices = parts.by_digit[digit]
        index = indices[int(own[2] * len(indices))]
        box = parts.ink_boxes[index]
        linear = _part_matrix(box, own, turn, options)
        cx = (turn[0] * ox + turn[1] * oy) * pitch
        cy = (turn[0] * oy - turn[1] * ox) * pitch
        # One source pixel more on each side: interpolation bleeds that far.
        half_w, half_h = (box[2] - box[0]) / 2 + 1, (box[3] - box[1]) / 2 + 1
        dx = abs(linear[0]) * half_w + abs(linear[1]) * half_h + 1
        dy = abs(linear[2]) * half_w + abs(linear[3]) * half_h + 1
        placed.append((parts.images[index], box, linear, cx, cy))
        reach.append((cx - dx, cy - dy, cx + dx, cy + dy))
    x0, y0 = math.floor(min(r[0] for r in reach)), math.floor(min(r[1] for r in reach))
    size = (math.ceil(max(r[2] for r in reach)) - x0, math.ceil(max(r[3] for r in reach)) - y0)
    tiles = [_warp_part(image, box, linear, (cx - x0, cy - y0), size) for image, box, linear, cx, cy in placed]
    phase = 2 * math.pi * draws[3]
    ramp = (options.light_ramp * math.cos(phase), options.light_ramp * math.sin(phase))
    return _cut(tiles, kind.digits, _between(draws[2], options.gain_range), ramp)


def _warp_part(
    image: np.ndarray, box: np.ndarray, linear: list[float], centre: tuple[float, float], size: tuple[int, int]
) -> np.ndarray:
    image, factor = _shrunk(image, linear)
    a, b, c, d = (value / factor for value in linear)
    # The box is in edge coordinates; pixel i has its centre at i + 0.5 there, on both sides of the map.
    ux, uy = 0.5 - factor * (box[0] + box[2]) / 2, 0.5 - factor * (box[1] + box[3]) / 2
    matrix = np.array([[a, b, a * ux + b * uy + centre[0] - 0.5], [c, d, c * ux + d * uy + centre[1] - 0.5]])
    tile = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
    return cv2.threshold(tile, _INK_THRESHOLD, 0, cv2.THRESH_TOZERO)[1]


def _cut(tiles: list[np.ndarray], digits: tuple[int, ...], gain: float, ramp: tuple[float, float]) -> LegoObject:
    whole = tiles[0] if len(tiles) == 1 else np.maximum.reduce(tiles)
    x, y, w, h = cv2.boundingRect(whole)
    boxes = np.array([cv2.boundingRect(tile) for tile in tiles], dtype=np.int64)
    boxes[:, 2:] += boxes[:, :2]
    boxes -= (x, y, x, y)
    cut = tuple(tile[y : y + h, x : x + w] for tile in tiles)
    return LegoObject(whole[y : y + h, x : x + w], cut, boxes, digits, gain, ramp)


def light(item: LegoObject) -> np.ndarray:
    """Apply gain and ramp to an object's tile.

    Returns:
        (h, w) uint8, positive exactly where ``item.tile`` is.
    """
    h, w = item.tile.shape
    across = np.linspace(-item.ramp[0], item.ramp[0], w, dtype=np.float32)
    down = np.linspace(1 - item.ramp[1], 1 + item.ramp[1], h, dtype=np.float32)
    lit = item.tile * ((down[:, None] + across) * np.float32(item.gain))
    return np.where(item.tile > 0, np.clip(lit, 1, 255), 0).astype(np.uint8)
