"""Annotations of data sets in other files: Locount and COCO's layout, salient objects, tables of points."""

from .locount_convert import coco_to_locount, locount_to_coco, write_coco, write_locount
from .points_export import PointsExport, export_points
from .salient_convert import salient_to_coco

__all__ = [
    'PointsExport',
    'coco_to_locount',
    'export_points',
    'locount_to_coco',
    'salient_to_coco',
    'write_coco',
    'write_locount',
]
