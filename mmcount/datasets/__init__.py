"""Readers of annotated images, their transforms, and data made on the fly."""

from . import lego, transforms  # imported for their registered modules
from .coco import COCOCounts
from .count_dataset import CountDataset, class_palette
from .counts_csv import CountsCSVDataset
from .crowd import FDST, UCFQNRF, CrowdDataset, JHUCrowd, NWPUCrowd, ShanghaiTechA, ShanghaiTechB
from .dot_images import AdipocyteCells, DotImageDataset, MBMCells, VGGCells
from .errors import AnnotationError
from .lego import MNISTLego
from .points_csv import PointsCSVDataset
from .splits import CountSplit
from .voc import VOCCounts, VOCSegmentationTrain

__all__ = [
    'FDST',
    'UCFQNRF',
    'AdipocyteCells',
    'AnnotationError',
    'COCOCounts',
    'CountDataset',
    'CountSplit',
    'CountsCSVDataset',
    'CrowdDataset',
    'DotImageDataset',
    'JHUCrowd',
    'MBMCells',
    'MNISTLego',
    'NWPUCrowd',
    'PointsCSVDataset',
    'ShanghaiTechA',
    'ShanghaiTechB',
    'VGGCells',
    'VOCCounts',
    'VOCSegmentationTrain',
    'class_palette',
    'lego',
    'transforms',
]
