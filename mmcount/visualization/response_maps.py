"""Pictures of peak response maps: which pixels made each peak?"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from .count_visualizer import write_image
from .drawing import INK, display_size, draw_points, grid, header, overlay_density, resize, to_display

#: Panels side by side.
COLUMNS = 4


def response_panels(
    image: np.ndarray,
    responses: ArrayLike,
    points: ArrayLike | None = None,
    titles: Sequence[str] | None = None,
    smallest_px: int = 192,
    largest_px: int = 320,
) -> np.ndarray:
    """One panel for each peak, the image under its response.

    Each map has its own colours, from nothing to its largest value.

    Args:
        image: The image, RGB, at the resolution of the maps or any other.
        responses: Of ``mmcount.models.peak_response_maps``.
        points: Where the peaks are, (x, y) px of ``image``.
        titles: What stands above each panel; numbers by default.
        smallest_px: Longer side to which small images are enlarged.
        largest_px: Longer side to which large images are reduced.

    Shape:
        image: (H, W, 3) uint8. responses: (K, h, w), K >= 1. points: (K, 2) -> (H', W', 3) uint8 RGB.

    Raises:
        ValueError: There is no map, or the numbers of maps, points and titles differ.
    """
    maps = np.asarray(responses, dtype=np.float32)
    if maps.ndim != 3 or len(maps) == 0:
        raise ValueError(f'responses must be (K, h, w) with at least one map, got {maps.shape}')
    marks = None if points is None else np.asarray(points, dtype=np.float64).reshape(-1, 2)
    titles = [f'peak {index}' for index in range(len(maps))] if titles is None else titles
    if len(titles) != len(maps) or (marks is not None and len(marks) != len(maps)):
        found = 'no' if marks is None else len(marks)
        raise ValueError(f'{len(maps)} maps need as many points and titles, got {found} points, {len(titles)} titles')
    scale = display_size((image.shape[0], image.shape[1]), smallest_px, largest_px)
    small = resize(image, scale)
    panels = []
    for index, one in enumerate(maps):
        shown = resize_map(one, (small.shape[0], small.shape[1]))
        body = overlay_density(small, shown, float(shown.max(initial=0)))
        if marks is not None:
            draw_points(body, to_display(marks[index : index + 1], scale), [(255, 255, 255)], 3)
        panels.append(np.vstack([header(body.shape[1], [(titles[index], INK)]), body]))
    return grid(panels, min(len(panels), COLUMNS))


def resize_map(one: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """An (h, w) map at another size; single strong pixels survive a reduction, as the mean of their block."""
    method = cv2.INTER_AREA if shape[0] < one.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(one, (shape[1], shape[0]), interpolation=method)


def save_response_maps(
    path: str | Path,
    image: np.ndarray,
    responses: ArrayLike,
    points: ArrayLike | None = None,
    titles: Sequence[str] | None = None,
) -> None:
    """Write the picture of :func:`response_panels` to a PNG or JPEG file, whole or not at all.

    Raises:
        ValueError: As of :func:`response_panels`, or the suffix of ``path`` names no image format.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / 'responses.png'
        >>> save_response_maps(file, np.zeros((32, 32, 3), np.uint8), np.ones((2, 32, 32)) / 1024)
        >>> file.is_file()
        True
    """
    write_image(str(path), response_panels(image, responses, points, titles))
