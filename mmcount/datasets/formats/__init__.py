"""One parser per annotation format: NumPy and Pillow only, no deep learning framework."""

from .dots import colour_points, dot_mask, mask_points, read_dot_image
from .images import IMG_EXTENSIONS, image_size, list_images
from .points_csv import PointTable, parse_image_list, parse_points_csv

__all__ = [
    'IMG_EXTENSIONS',
    'PointTable',
    'colour_points',
    'dot_mask',
    'image_size',
    'list_images',
    'mask_points',
    'parse_image_list',
    'parse_points_csv',
    'read_dot_image',
]
