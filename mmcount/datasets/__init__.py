"""Readers of annotated images, their transforms, and data made on the fly."""

from . import lego, transforms  # imported for their registered modules
from .count_dataset import CountDataset, class_palette
from .dot_images import AdipocyteCells, DotImageDataset, MBMCells, VGGCells
from .errors import AnnotationError
from .lego import MNISTLego
from .points_csv import PointsCSVDataset
from .splits import CountSplit

__all__ = [
    'AdipocyteCells',
    'AnnotationError',
    'CountDataset',
    'CountSplit',
    'DotImageDataset',
    'MBMCells',
    'MNISTLego',
    'PointsCSVDataset',
    'VGGCells',
    'class_palette',
    'lego',
    'transforms',
]
