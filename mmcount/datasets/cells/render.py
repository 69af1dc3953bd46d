"""Cells drawn onto the planes of a specimen."""

import math

import numpy as np

from .layout import CellLayout

__all__ = ['draw_cells']

# Cells drawn at once: bounds the memory of large images.
_CHUNK = 256


def draw_cells(
    cells: CellLayout,
    brightness: np.ndarray,
    edge: float,
    profile: tuple[float, float],
    planes: np.ndarray,
    num_planes: int,
    overlap: str,
    shape: tuple[int, int],
    margin: int,
) -> np.ndarray:
    """Draw cells in their order onto their planes.

    Args:
        cells: N cells.
        brightness: (N,) brightness of each.
        edge: Width of the soft edge as a share of the radius.
        profile: (base, slope): a cell is ``base + slope t^2`` bright at a share t of the way to its outline.
        planes: (N,) plane of each cell.
        num_planes: P.
        overlap: 'add', 'maximum' or 'cover'.
        shape: Height and width of the image.
        margin: Px that a plane has around the image.

    Returns:
        (P, height + 2 margin, width + 2 margin) float32.
    """
    height, width = shape[0] + 2 * margin, shape[1] + 2 * margin
    canvas = np.zeros((num_planes, height, width), dtype=np.float32)
    for start in range(0, len(cells), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        reach = cells.boxes[chunk] - 0.5 - np.tile(cells.centres[chunk], 2)
        half = math.ceil(np.abs(reach).max() * (1 + edge)) + 1
        corners = np.floor(cells.centres[chunk]).astype(int) - half
        alpha, depth = _patches(cells, chunk, corners, half, edge)
        value = alpha * (profile[0] + profile[1] * depth) * brightness[chunk, None, None].astype(np.float32)
        x0, y0 = (corners + margin).T
        for k, plane in enumerate(planes[chunk]):
            # Cells of the frame may reach over the margin.
            top, left, bottom, right = y0[k], x0[k], y0[k] + 2 * half + 1, x0[k] + 2 * half + 1
            rows, columns = slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
            target = canvas[plane, rows, columns]
            if target.size == 0:
                continue
            cut = np.s_[max(-top, 0) :, max(-left, 0) :]
            part = value[k][cut][: target.shape[0], : target.shape[1]]
            if overlap == 'add':
                target += part
            elif overlap == 'maximum':
                np.maximum(target, part, out=target)
            else:
                target *= 1 - alpha[k][cut][: target.shape[0], : target.shape[1]]
                target += part
    return canvas


def _patches(
    cells: CellLayout, chunk: slice, corners: np.ndarray, half: int, edge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Opacity, and squared share of the way to the outline, of n cells: twice (n, 2 half + 1, 2 half + 1) float32."""
    steps = np.arange(2 * half + 1)
    dx = (corners[:, 0] - cells.centres[chunk, 0])[:, None] + steps  # (n, side)
    dy = (corners[:, 1] - cells.centres[chunk, 1])[:, None] + steps
    long, short = (axis[chunk] for axis in cells.axes)
    turn = np.exp(-1j * cells.angles[chunk])
    # In the frame of the cell, scaled to radius 1: x along the long axis, y along the short one.
    column = (turn.real / long)[:, None] * dx + 1j * (turn.imag / short)[:, None] * dx
    row = -(turn.imag / long)[:, None] * dy + 1j * (turn.real / short)[:, None] * dy
    shift = cells.shifts[chunk, 0] + 1j * cells.shifts[chunk, 1]
    place = (column + shift[:, None]).astype(np.complex64)[:, None, :] + row.astype(np.complex64)[:, :, None]
    distance = np.abs(place)
    waves = cells.waves[chunk].astype(np.complex64)[:, :, None, None]
    if np.abs(waves).max(initial=0) > 0:
        unit = place / np.maximum(distance, 1e-6)
        # Re(unit^2 (w2 + unit (w3 + unit (w4 + unit w5)))): powers of a unit number are the waves.
        total = waves[:, 3] * unit
        for k in (2, 1, 0):
            total += waves[:, k]
            total *= unit
        total *= unit
        share = distance / np.maximum(1 + total.real, 0.2)
    else:
        share = distance
    alpha = np.clip((1 - share) * np.float32(1 / edge) + np.float32(0.5), 0, 1)
    alpha *= alpha * (3 - 2 * alpha)  # smooth at both ends
    return alpha, np.minimum(share, 1) ** 2
