"""One generated image of cells with its annotation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .layout import draw_layout
from .microscope import photograph
from .options import CellOptions

__all__ = ['CellScene', 'make_cell_scene']


@dataclass(frozen=True, eq=False)
class CellScene:
    """One image and its N cells: those whose centre is in it.

    Args:
        image: (H, W, 3) uint8 BGR, or None if only the annotation was asked for.
        brightfield: If it is a bright-field image; None without an image.
        points: (N, 2) float32, centroids of the cells' outlines in px, pixel centres at integers.
        radii: (N,) float32, radius in px of the disc of the area of the cell, waves of the outline aside.
        bboxes: (N, 4) float32, boxes around the outlines, xyxy in px (edges). They may reach over the image.
    """

    image: np.ndarray | None
    brightfield: bool | None
    points: np.ndarray
    radii: np.ndarray
    bboxes: np.ndarray


def make_cell_scene(options: CellOptions, seed: int | Sequence[int], paint: bool = True) -> CellScene:
    """Make the image of cells that belongs to a seed.

    Args:
        options: Ranges to draw from.
        seed: One number >= 0 or several.
        paint: Without it the image is not made; the annotation is the same.

    Example:
        >>> scene = make_cell_scene(CellOptions(canvas=(64, 96), radius=6, coverage=0.4), seed=1)
        >>> scene.image.shape, scene.points.shape == (len(scene.radii), 2)
        ((64, 96, 3), True)
    """
    # Places and pictures draw from sources of their own, so that either is the same without the other.
    layout_rng, picture_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    cells = draw_layout(options, layout_rng)
    image, brightfield = photograph(cells, options, picture_rng) if paint else (None, None)
    inside = cells.inside
    return CellScene(
        image=image,
        brightfield=brightfield,
        points=cells.centres[inside].astype(np.float32),
        radii=cells.radii[inside].astype(np.float32),
        bboxes=cells.boxes[inside].astype(np.float32),
    )
