"""Read dot annotations: images in which every marked pixel is one object."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from mmcount.utils.errors import AnnotationError

_RULE = re.compile(r'(red|value)\s*>\s*(\d+)')


def read_dot_image(path: str) -> np.ndarray:
    """Decode an annotation image, without alpha.

    Returns:
        Shape (H, W) of the file's own dtype (bool for 1-bit files) or (H, W, 3) uint8 RGB for coloured files.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The file cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            if image.mode == 'LA':
                return np.array(image.getchannel('L'))
            single = image.mode in ('1', 'L', 'F') or image.mode.startswith('I')
            return np.array(image if single else image.convert('RGB'))
    except FileNotFoundError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(f'cannot be read as a dot image ({error})', path) from error


def dot_mask(pixels: np.ndarray, rule: str) -> np.ndarray:
    """Mark the pixels that are dots.

    Args:
        pixels: From :func:`read_dot_image`.
        rule: 'red' (red above 127), 'red>t', 'value>t' (brightest channel above t) or 'nonzero'.

    Returns:
        Shape (H, W) bool.

    Raises:
        ValueError: The rule is unknown.

    Example:
        >>> dot_mask(np.array([[0, 3], [200, 0]], np.uint8), 'value>127').tolist()
        [[False, False], [True, False]]
    """
    if rule == 'nonzero':
        return np.asarray(pixels.any(axis=2) if pixels.ndim == 3 else pixels, dtype=bool)
    match = _RULE.fullmatch('red>127' if rule == 'red' else rule)
    if match is None:
        raise ValueError(f"dot_rule must be 'red', 'red>t', 'value>t' or 'nonzero', got {rule!r}")
    # 1-bit files hold True/False; their bright pixel is 255 like that of any other file
    values = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    if values.ndim == 3:
        values = values[..., 0] if match[1] == 'red' else values.max(axis=2)
    return values > int(match[2])


def describe_marks(pixels: np.ndarray, path: str) -> str:
    """The pixels of an annotation image that are not background, in words; empty if there are none.

    Args:
        pixels: From :func:`read_dot_image`.
        path: The file; what compression leaves in a JPEG is no mark.

    Example:
        >>> describe_marks(np.array([[0, 1], [1, 0]], np.uint8), 'dots.png')
        '2 pixels are marked, the first at (1, 0) with the value 1'
    """
    values = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
    brightest = values.max(axis=2) if values.ndim == 3 else values
    rows, columns = np.nonzero(brightest > (64 if path.lower().endswith(('.jpg', '.jpeg')) else 0))
    if not len(rows):
        return ''
    value = values[rows[0], columns[0]].tolist()
    form = f'colour {tuple(value)}' if isinstance(value, list) else f'value {value}'
    plural = 'pixel is' if len(rows) == 1 else 'pixels are'
    return f'{len(rows)} {plural} marked, the first at ({columns[0]}, {rows[0]}) with the {form}'


def describe_blobs(mask: np.ndarray) -> str:
    """The groups of touching pixels in a mask, in words; empty if its pixels are dots.

    A filled disc or square contains a whole 3 x 3 square, which dots of one pixel hardly ever fill. Where such groups
    are most of the pixels, the marks are areas.

    Args:
        mask: (H, W) bool.

    Example:
        >>> describe_blobs(np.pad(np.ones((3, 4), bool), 1))
        '12 marked pixels touch in 1 group'
        >>> describe_blobs(np.eye(4, dtype=bool))
        ''
    """
    cores = ndimage.binary_erosion(mask, np.ones((3, 3), bool))
    if not cores.any():
        return ''
    groups, number = ndimage.label(mask, np.ones((3, 3), bool))
    sizes = np.bincount(groups.ravel(), minlength=number + 1)
    filled = np.unique(groups[cores])
    if 2 * sizes[filled].sum() < mask.sum():
        return ''
    return f'{int(mask.sum())} marked pixels touch in {number} group{"s" if number > 1 else ""}'


def blob_points(mask: np.ndarray) -> np.ndarray:
    """Return one point per group of pixels that touch, sides or corners, at its centre of mass.

    Shape:
        mask: (H, W) bool -> (N, 2) float32 (x, y) px.

    Example:
        >>> blob_points(np.array([[1, 1, 0, 0], [0, 0, 0, 1]], bool)).tolist()
        [[0.5, 0.0], [3.0, 1.0]]
    """
    return _centres(ndimage.label(mask, np.ones((3, 3), bool))[0])


def label_points(pixels: np.ndarray) -> np.ndarray:
    """Return one point per value other than 0 of a label mask, at the centre of mass of its pixels.

    Shape:
        pixels: (H, W) integers, or (H, W, 3) colours, black for the background -> (N, 2) float32 (x, y) px.

    Raises:
        ValueError: The pixels are no whole numbers.

    Example:
        >>> label_points(np.array([[7, 7, 9], [0, 0, 9]], np.uint8)).tolist()
        [[0.5, 0.0], [2.0, 0.5]]
    """
    if pixels.dtype.kind not in 'uib':
        raise ValueError(f'labels must be whole numbers, found {pixels.dtype}')
    values = pixels.astype(np.int64)
    return _centres(values if values.ndim == 2 else values @ np.array([1 << 16, 1 << 8, 1]))


def _centres(labels: np.ndarray) -> np.ndarray:
    """(N, 2) float32 centres of mass of the pixels of each label but 0."""
    rows, columns = np.nonzero(labels)
    _, group, sizes = np.unique(labels[rows, columns], return_inverse=True, return_counts=True)
    sums = [np.bincount(group, weights=one, minlength=len(sizes)) for one in (columns, rows)]
    return (np.stack(sums, axis=1) / sizes[:, None]).astype(np.float32)


def mask_points(mask: np.ndarray) -> np.ndarray:
    """Return one point per marked pixel, in raster order.

    Touching dots stay apart: pixels are counted, never connected components.

    Shape:
        mask: (H, W) bool -> (N, 2) float32 (x, y) px.

    Example:
        >>> mask_points(np.array([[0, 1], [1, 1]], bool)).tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    rows, columns = np.nonzero(mask)
    return np.stack([columns, rows], axis=1).astype(np.float32)


def colour_points(
    pixels: np.ndarray, colours: Mapping[str, Sequence[int]], tolerance: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the dots of several classes, each drawn in its own colour.

    Args:
        pixels: From :func:`read_dot_image`.
        colours: Class name to (r, g, b); the label of a class is its position.
        tolerance: Largest difference to a class's colour in any channel.

    Returns:
        Points (N, 2) float32 and labels (N,) int64, ordered by class, then raster.

    Raises:
        ValueError: Two colours are so near that a pixel could match both.
    """
    check_dot_colours(colours, tolerance)
    if pixels.ndim == 2:
        grey = pixels.astype(np.uint8) * 255 if pixels.dtype == bool else pixels
        pixels = np.repeat(grey[..., None], 3, axis=2)
    values = pixels.astype(np.int64)
    points = [
        mask_points(np.all(np.abs(values - np.asarray(colour, np.int64)) <= tolerance, axis=2))
        for colour in colours.values()
    ]
    labels = np.repeat(np.arange(len(points), dtype=np.int64), [len(group) for group in points])
    return np.concatenate(points), labels


def check_dot_colours(colours: Mapping[str, Sequence[int]], tolerance: int) -> None:
    """Raise ValueError when colours are malformed or cannot be told apart with this tolerance."""
    if not colours:
        raise ValueError('dot_colors must name at least one class')
    for name, colour in colours.items():
        if len(colour) != 3 or not all(0 <= value <= 255 for value in colour):
            raise ValueError(f'dot_colors[{name!r}] must be (r, g, b) in 0..255, got {colour}')
    if tolerance < 0:
        raise ValueError(f'color_tolerance must not be negative, got {tolerance}')
    names = list(colours)
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            difference = np.abs(np.subtract(colours[first], colours[second])).max()
            if difference <= 2 * tolerance:
                raise ValueError(
                    f'dot_colors of {first!r} and {second!r} differ by at most {difference}, but a tolerance of '
                    f'{tolerance} needs more than {2 * tolerance} in some channel'
                )
