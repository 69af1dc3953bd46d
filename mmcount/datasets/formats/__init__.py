"""One parser per annotation format: NumPy, Pillow and pycocotools only, no deep learning framework."""

from .coco_masks import bitmap, encode_mask
from .counts_table import CountTable, read_counts_csv
from .crowd_points import CrowdPoints
from .dots import colour_points, dot_mask, mask_points, read_dot_image
from .images import IMG_EXTENSIONS, image_size, list_images
from .mat import read_mat
from .points_table import PointTable, read_points_csv
from .tables import read_image_list

__all__ = [
    'IMG_EXTENSIONS',
    'CountTable',
    'CrowdPoints',
    'PointTable',
    'bitmap',
    'colour_points',
    'dot_mask',
    'encode_mask',
    'image_size',
    'list_images',
    'mask_points',
    'read_counts_csv',
    'read_dot_image',
    'read_image_list',
    'read_mat',
    'read_points_csv',
]
