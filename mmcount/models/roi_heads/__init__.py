"""RoI heads that say how many objects each box holds."""

from .boxes import jitter_boxes, poolable_boxes
from .cascade_count_roi_head import CascadeCountRoIHead
from .count_bbox_head import BoxAndCount, CountBBoxHead
from .count_output import build_codec, build_loss, output_init, stage_loss
from .count_roi_head import CountRoIHead
from .count_sampler import CountRandomSampler, with_gt_counts
from .roi_count_head import RoICountHead

__all__ = [
    'BoxAndCount',
    'CascadeCountRoIHead',
    'CountBBoxHead',
    'CountRandomSampler',
    'CountRoIHead',
    'RoICountHead',
    'build_codec',
    'build_loss',
    'jitter_boxes',
    'output_init',
    'poolable_boxes',
    'stage_loss',
    'with_gt_counts',
]
