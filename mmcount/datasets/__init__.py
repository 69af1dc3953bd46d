"""Readers of annotated images, their transforms, and data made on the fly."""

from mmcount.utils.errors import AnnotationError

from . import cells, lego, transforms  # imported for their registered modules
from .cells import SyntheticCells
from .coco import COCOCounts
from .count_dataset import CountDataset, class_palette
from .counted_coco import CountedCocoDataset
from .counts_csv import CountsCSVDataset
from .crowd import FDST, UCFQNRF, CrowdDataset, JHUCrowd, NWPUCrowd, ShanghaiTechA, ShanghaiTechB
from .dot_images import AdipocyteCells, DotImageDataset, MBMCells, VGGCells
from .lego import MNISTLego
from .locount_dataset import LocountDataset
from .lower_counts import LowerCounts
from .points_csv import PointsCSVDataset
from .salient import MSO, SOS, SalientCoco
from .splits import CountSplit
from .voc import VOCCounts, VOCSegmentationTrain

__all__ = [
    'FDST',
    'MSO',
    'SOS',
    'UCFQNRF',
    'AdipocyteCells',
    'AnnotationError',
    'COCOCounts',
    'CountDataset',
    'CountSplit',
    'CountedCocoDataset',
    'CountsCSVDataset',
    'CrowdDataset',
    'DotImageDataset',
    'JHUCrowd',
    'LocountDataset',
    'LowerCounts',
    'MBMCells',
    'MNISTLego',
    'NWPUCrowd',
    'PointsCSVDataset',
    'SalientCoco',
    'ShanghaiTechA',
    'ShanghaiTechB',
    'SyntheticCells',
    'VGGCells',
    'VOCCounts',
    'VOCSegmentationTrain',
    'cells',
    'class_palette',
    'lego',
    'transforms',
]
