"""Masks in COCO's notations, and back to arrays."""

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mmcount.utils.run_lengths import checked_runs

__all__ = ['bitmap', 'encode_mask']


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Compress a mask to COCO's run lengths, about a thousandth of its size.

    Args:
        mask: (H, W), anything that is not 0 belongs to the object.

    Returns:
        ``dict(size=[H, W], counts=bytes)``.

    Example:
        >>> encode_mask(np.eye(2))['size']
        [2, 2]
    """
    return coco_mask.encode(np.asfortranarray(mask != 0, dtype=np.uint8))


def bitmap(segmentation: Any, shape: tuple[int, int] | None, name: str = 'mask') -> np.ndarray:
    """Draw a mask.

    Args:
        segmentation: An (H, W) array; or COCO's notation: a list of polygons ``[x1, y1, x2, y2, ...]`` whose union is
            meant, or a dict of run lengths, compressed or not.
        shape: Height and width of the image; None takes those of an array or of run lengths.
        name: What the messages call the mask.

    Returns:
        (H, W) uint8 of 0 and 1; an array comes back with its own values.

    Raises:
        ValueError: It is none of these, of another size, or polygons come without a size.

    Example:
        >>> bitmap([[0, 0, 2, 0, 2, 1, 0, 1]], (2, 3)).tolist()
        [[1, 1, 0], [0, 0, 0]]
    """
    if isinstance(segmentation, dict):
        mask = _from_runs(segmentation, name)
    elif isinstance(segmentation, list | tuple):
        mask = _from_polygons(segmentation, shape, name)
    else:
        mask = np.asarray(segmentation, dtype=np.uint8)
    if mask.ndim != 2 or (shape is not None and mask.shape != tuple(shape)):
        raise ValueError(f'{name} has shape {mask.shape}, expected {"(H, W)" if shape is None else tuple(shape)}')
    return mask


def _from_runs(code: dict, name: str) -> np.ndarray:
    try:
        runs = checked_runs(code)
    except ValueError as error:
        raise ValueError(f'{name} cannot be read as COCO run lengths: {error}') from error
    return coco_mask.decode(coco_mask.frPyObjects(runs, *runs['size']))


def _from_polygons(polygons: Any, shape: tuple[int, int] | None, name: str) -> np.ndarray:
    if shape is None:
        raise ValueError(f'{name} is made of polygons, but the size of the image is unknown: load the image first')
    try:
        rings = [np.asarray(polygon, dtype=np.float64).reshape(-1) for polygon in polygons]
    except (TypeError, ValueError) as error:
        raise ValueError(f'{name} cannot be read as polygons ({error})') from error
    for ring in rings:
        # pycocotools takes 4 numbers for a box and crashes on an odd number
        if len(ring) < 6 or len(ring) % 2 or not np.isfinite(ring).all():
            raise ValueError(f'{name} has a polygon of {len(ring)} numbers, expected x and y of 3 or more points')
    height, width = shape
    if not rings:
        return np.zeros((height, width), dtype=np.uint8)
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([ring.tolist() for ring in rings], height, width)))
