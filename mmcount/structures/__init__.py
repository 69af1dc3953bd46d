"""What a sample carries, and the box types that carry points and counts through mmdet's transforms."""

from .count_data_sample import CountDataSample
from .counted_boxes import CountedBoxes
from .point_boxes import PointBoxes

__all__ = ['CountDataSample', 'CountedBoxes', 'PointBoxes']
