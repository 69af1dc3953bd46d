"""Instance masks out of counters: peak response maps, proposal scores, and the wrapper that plugs them in."""

from .peak_backprop import (
    backpropagate_peaks,
    normalise_relevance,
    peak_response_maps,
    positive_convolutions,
    traced_maps,
)
from .peak_segmentor import PeakSegmentor
from .peaks import Peaks, select_peaks
from .scoring import (
    background_mask,
    density_in_masks,
    mask_contours,
    mask_iou,
    mask_nms,
    resize_masks,
    score_proposals,
)

__all__ = [
    'PeakSegmentor',
    'Peaks',
    'background_mask',
    'backpropagate_peaks',
    'density_in_masks',
    'mask_contours',
    'mask_iou',
    'mask_nms',
    'normalise_relevance',
    'peak_response_maps',
    'positive_convolutions',
    'resize_masks',
    'score_proposals',
    'select_peaks',
    'traced_maps',
]
