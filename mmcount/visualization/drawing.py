"""Draw points, boxes, ellipses, density and text on RGB arrays. Nothing here knows what a data sample is."""

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

INK: Colour = (25, 25, 25)
PAPER: Colour = (250, 250, 250)
MARGIN_PX = 8


@lru_cache(maxsize=8)
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """The sans-serif font that comes with Matplotlib: the same picture on every machine."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont('DejaVu Sans'), size_px)


def display_size(img_shape: tuple[int, int], smallest_px: int, largest_px: int) -> float:
    """The factor that brings the longer side of an image between two limits.

    Args:
        img_shape: (height, width), px.
        smallest_px: The longer side is enlarged to this where it is shorter.
        largest_px: The longer side is reduced to this where it is longer.

    Example:
        >>> display_size((28, 14), 280, 560), display_size((300, 400), 280, 560), display_size((1120, 10), 280, 560)
        (10.0, 1.0, 0.5)
    """
    longer = max(img_shape)
    return smallest_px / longer if longer < smallest_px else min(1.0, largest_px / longer)


def resize(image: np.ndarray, scale: float) -> np.ndarray:
    """An image at another size; enlarged pixels keep their edges from four times on, so that they can be counted."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else (cv2.INTER_NEAREST if scale >= 4 else cv2.INTER_CUBIC)
    return cv2.resize(image, (width, height), interpolation=method)


def to_display(points: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """(N, 2) points in pixel-centre coordinates of an image, in those of the image resized by ``scale`` or (x, y)."""
    return (np.asarray(points, dtype=np.float64).reshape(-1, 2) + 0.5) * scale - 0.5


def draw_points(image: np.ndarray, points: np.ndarray, colours: Sequence[Colour], radius_px: int) -> None:
    """Mark points in place with a disc of their colour and a dark rim, which shows on any background.

    Shape:
        image: (H, W, 3) uint8 RGB. points: (N, 2) px of ``image``.
    """
    shift = 4  # sub-pixel bits of cv2
    for (x, y), colour in zip(points, colours, strict=True):
        centre = round(x * 2**shift), round(y * 2**shift)
        for radius, ink in ((radius_px + 1, INK), (radius_px, colour)):
            cv2.circle(image, centre, radius << shift, ink, -1, cv2.LINE_AA, shift)


def draw_boxes(
    image: np.ndarray, boxes: np.ndarray, colours: Sequence[Colour], counts: np.ndarray, thickness_px: int = 2
) -> None:
    """Outline boxes in place; a box that stands for several objects says how many.

    Shape:
        image: (H, W, 3) uint8 RGB. boxes: (N, 4) xyxy px of ``image``. counts: (N,).
    """
    for box, colour in zip(boxes, colours, strict=True):
        x1, y1, x2, y2 = (round(value) for value in box)
        cv2.rectangle(image, (x1, y1), (x2, y2), INK, thickness_px + 1, cv2.LINE_AA)
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, thickness_px, cv2.LINE_AA)
    for (x1, y1, *_), colour, count in zip(boxes, colours, counts, strict=True):
        if count != 1:
            draw_tag(image, f'x{count:.3g}', (round(x1), round(y1)), colour)


def draw_ellipses(image: np.ndarray, ellipses: np.ndarray, colours: Sequence[Colour], thickness_px: int = 2) -> None:
    """Outline ellipses along the axes in place, with a dark rim and a dot in the middle.

    Shape:
        image: (H, W, 3) uint8 RGB. ellipses: (N, 4) centre x, y and half-axes along x, y, px of ``image``.
    """
    shift = 4  # sub-pixel bits of cv2
    fixed = np.rint(np.asarray(ellipses, dtype=np.float64).reshape(-1, 4) * 2**shift).astype(int).tolist()
    for (x, y, half_x, half_y), colour in zip(fixed, colours, strict=True):
        for ink, thickness in ((INK, thickness_px + 2), (colour, thickness_px)):
            cv2.ellipse(image, (x, y), (half_x, half_y), 0, 0, 360, ink, thickness, cv2.LINE_AA, shift)
    centres = np.asarray(ellipses, dtype=np.float64).reshape(-1, 4)[:, :2]
    draw_points(image, centres, colours, radius_px=thickness_px)


def draw_masks(image: np.ndarray, masks: np.ndarray, colours: Sequence[Colour], alpha: float = 0.45) -> None:
    """Tint masks in place and outline them, the first ones on top.

    Args:
        image: RGB.
        masks: Of the image, at any resolution.
        colours: One for each mask.
        alpha: Share of the colour inside of a mask.

    Shape:
        image: (H, W, 3) uint8. masks: (N, h, w) bool.
    """
    size = image.shape[1], image.shape[0]
    for mask, colour in zip(masks[::-1], colours[::-1], strict=True):
        shown = cv2.resize(np.ascontiguousarray(mask, dtype=np.uint8), size, interpolation=cv2.INTER_NEAREST)
        inside = shown > 0
        image[inside] = (image[inside] * (1 - alpha) + np.array(colour) * alpha).astype(np.uint8)
        outlines, _ = cv2.findContours(shown, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        for ink, thickness in ((INK, 2), (colour, 1)):
            cv2.drawContours(image, outlines, -1, ink, thickness)


def draw_tag(image: np.ndarray, text: str, corner: tuple[int, int], colour: Colour, size_px: int = 13) -> None:
    """Write a short text in place on a patch of ``colour`` whose upper left corner is kept inside the image."""
    width, height = (round(value) for value in font(size_px).getbbox(text)[2:])
    x = int(np.clip(corner[0], 0, max(0, image.shape[1] - width - 6)))
    y = int(np.clip(corner[1], 0, max(0, image.shape[0] - height - 4)))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((x, y, x + width + 5, y + height + 3), fill=colour)
    ink = INK if np.dot(colour, (0.3, 0.59, 0.11)) > 130 else PAPER
    draw.text((x + 3, y + 1), text, fill=ink, font=font(size_px))
    image[:] = np.asarray(picture)


def warp_density(
    density: np.ndarray, img_shape: tuple[int, int], extent: tuple[float, float, float, float] | None, scale: float
) -> np.ndarray:
    """A map resampled to the pixels of a resized image; zero where it does not reach.

    Args:
        density: Objects per cell.
        img_shape: (height, width) of the resized image, px.
        extent: (left, top, right, bottom) of the map in px of the image before it was resized; the image for None.
        scale: What the image was resized by.

    Shape:
        density: (h, w) -> (height, width) float32, in objects per cell.
    """
    rows, cols = density.shape
    height, width = img_shape
    left, top, right, bottom = extent or (-0.5, -0.5, width / scale - 0.5, height / scale - 0.5)
    step_x, step_y = cols / (right - left) / scale, rows / (bottom - top) / scale
    # Column c of the picture is at pixel (c + 0.5) / scale - 0.5 of the image, and so in cell ... of the map.
    origin_x = (0.5 / scale - 0.5 - left) * cols / (right - left) - 0.5
    origin_y = (0.5 / scale - 0.5 - top) * rows / (bottom - top) - 0.5
    matrix = np.array([[step_x, 0, origin_x], [0, step_y, origin_y]], dtype=np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        density.astype(np.float32), matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = origin_x + step_x * np.arange(width), origin_y + step_y * np.arange(height)
    warped[(y < -0.5) | (y > rows - 0.5)] = 0
    warped[:, (x < -0.5) | (x > cols - 0.5)] = 0
    return warped


def overlay_density(image: np.ndarray, density: np.ndarray, maximum: float) -> np.ndarray:
    """An image with a density in false colour over it; empty places stay grey.

    Args:
        image: RGB.
        density: Of the image's height and width; negative values show as zero.
        maximum: The value of the brightest colour.

    Shape:
        image: (H, W, 3) uint8, density: (H, W) -> (H, W, 3) uint8.
    """
    share = np.clip(density / maximum, 0, 1) if maximum > 0 else np.zeros_like(density)
    heat = cv2.cvtColor(cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    # The brightest channel, not the luminance: blue stains would all but vanish.
    grey = image.max(axis=2, keepdims=True) * np.full(3, 0.6)
    alpha = np.sqrt(share)[..., None] * 0.85  # the root lets faint density show
    return (grey * (1 - alpha) + heat * alpha).astype(np.uint8)


def colour_bar(width_px: int, text: str, height_px: int = 22) -> np.ndarray:
    """A strip from nothing to ``text``, the value of the brightest colour, as (height, width, 3) uint8 RGB."""
    strip = np.full((height_px, width_px, 3), PAPER, np.uint8)
    size = 12
    label_px = round(font(size).getlength(text)) + MARGIN_PX
    ramp_px = width_px - label_px - 22
    if ramp_px > 10:
        ramp = np.linspace(0, 255, ramp_px).astype(np.uint8)[None].repeat(height_px - 10, axis=0)
        heat = cv2.cvtColor(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
        strip[5:-5, 16 : 16 + ramp_px] = heat
    picture = Image.fromarray(strip)
    draw = ImageDraw.Draw(picture)
    draw.text((4, 4), '0', fill=INK, font=font(size))
    draw.text((width_px - label_px, 4), text, fill=INK, font=font(size))
    return np.asarray(picture)


def header(width_px: int, lines: Sequence[tuple[str, Colour]], size_px: int = 15) -> np.ndarray:
    """Lines of text above a panel, shortened where they do not fit, as (height, width, 3) uint8 RGB."""
    step = size_px + 6
    picture = Image.new('RGB', (width_px, max(1, step * len(lines) + 4)), PAPER)
    draw = ImageDraw.Draw(picture)
    for row, (text, colour) in enumerate(lines):
        draw.text((4, 3 + row * step), shorten(text, width_px - 8, size_px), fill=colour, font=font(size_px))
    return np.asarray(picture)


def shorten(text: str, width_px: int, size_px: int) -> str:
    """The text, or as much of it as fits, with an ellipsis."""
    if font(size_px).getlength(text) <= width_px:
        return text
    while text and font(size_px).getlength(text + '…') > width_px:
        text = text[:-1]
    return text + '…'


def grid(panels: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Panels of any sizes in rows, on paper, as one (H, W, 3) uint8 RGB image."""
    rows = [panels[start : start + columns] for start in range(0, len(panels), columns)]
    widths = [max(row[column].shape[1] for row in rows if column < len(row)) for column in range(len(rows[0]))]
    heights = [max(panel.shape[0] for panel in row) for row in rows]
    size = sum(heights) + MARGIN_PX * (len(heights) + 1), sum(widths) + MARGIN_PX * (len(widths) + 1)
    sheet = np.full((*size, 3), PAPER, np.uint8)
    top = MARGIN_PX
    for row, height in zip(rows, heights, strict=True):
        left = MARGIN_PX
        for panel, width in zip(row, widths, strict=False):
            sheet[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
            left += width + MARGIN_PX
        top += height + MARGIN_PX
    return sheet
