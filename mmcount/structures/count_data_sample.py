"""Data contract: the fields of a sample from the data set to the metric."""

from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData

#: `numpy()` and `tensor()` of a sample turn one into the other.
_NUMBERS = (torch.Tensor, np.ndarray)


def _field(name: str, kind: type | tuple[type, ...], doc: str) -> Any:
    """Property of a field whose type is checked when it is set, as MMEngine's samples have it."""

    def get(sample: 'CountDataSample') -> Any:
        return getattr(sample, f'_{name}')

    def put(sample: 'CountDataSample', value: Any) -> None:
        sample.set_field(value, f'_{name}', dtype=kind)

    def delete(sample: 'CountDataSample') -> None:
        delattr(sample, f'_{name}')

    return property(get, put, delete, doc)


class CountDataSample(DetDataSample):
    """Ground truth and prediction of one image, in mmdet's sample plus what counting needs.

    Symbols: C classes, N annotated objects, P predicted objects, (h, w) the cells of a map.

    ================================  ================  =====================================================
    field                             shape, unit       meaning
    ================================  ================  =====================================================
    ``gt_instances.points``           (N, 2) px         (x, y), pixel centres at integers
    ``gt_instances.bboxes``           (N, 4) px         as in mmdet, like ``labels`` and ``masks``
    ``gt_instances.counts``           (N,) int64 >= 1   objects inside each box
    ``gt_instances.count_weights``    (N,)              0 for counts of boxes that a crop has cut
    ``gt_instances.sigmas, levels``   (N, 2), (N,)      radii, px, and size levels of the NWPU-Crowd benchmark
    ``ignored_instances``                               objects that need not be found
    ``gt_counts``                     (C,) objects      objects of each class in the whole image
    ``gt_map``                        (K, h, w) each    targets of the codec by name; meta: ``codec``
    ``gt_void_mask``                  (H, W) bool       pixels without annotation
    ``proposals``                                       ``masks`` and ``scores``, before any resizing
    ``pred_instances``                P                 ``points`` or ``bboxes``, ``labels``, ``scores``; maybe
                                                        ``counts``, ``count_scores``, ``ellipses``, ``masks``
    ``pred_counts``                   (C,) objects      never rounded
    ``pred_density.data``             (C, h, w)         objects per cell; sums to ``pred_counts``; meta:
                                                        ``extent`` (left, top, right, bottom), px
    ``pred_calibrated_counts``        (C,) objects      after the fitted line; absent if none was fitted
    ``pred_interval``                 (C, 2) objects    bounds of the calibrated count; absent if not fitted
    ``pred_spread``                   (C,) objects      deviation of the method's own estimates
    ``pred_count_scores``             (M + 1,)          scores of each count up to M
    ``pred_scores``                   (C,)              of image classifiers
    ``saturated``                     bool              a cap was reached: the count is a lower bound
    ================================  ================  =====================================================

    Places are in pixels of the original image in predictions and in evaluation, and in pixels of the network's input in
    training. Beside mmdet's meta information: ``count_score_thr``, the lowest score of an instance that belongs to
    ``pred_counts``; ``gt_mismatch``, why the annotations do not lie on the original image; ``halo``, pixels of context
    around a crop.

    Example:
        >>> sample = CountDataSample()
        >>> sample.gt_counts = torch.tensor([3.0])
        >>> sample.gt_counts.shape
        torch.Size([1])
    """

    @property
    def pred_instances(self) -> InstanceData:
        """P predicted objects or boxes."""
        return self._pred_instances

    @pred_instances.setter
    def pred_instances(self, value: InstanceData) -> None:
        # A count never vanishes: without this, boxes that stand for many would be one object each from here on.
        if 'counts' in (self.get('_pred_instances') or ()) and 'counts' not in value:
            raise ValueError(
                f"image {self.get('img_id', '?')}: predicted boxes with 'counts' are replaced by boxes without: what "
                "merges or filters predictions must keep them (type='mmcount.CountingTTAModel' does, mmdet's "
                'DetTTAModel does not); to predict anew, delete pred_instances first'
            )
        self.set_field(value, '_pred_instances', dtype=InstanceData)

    @pred_instances.deleter
    def pred_instances(self) -> None:
        del self._pred_instances

    gt_counts = _field('gt_counts', _NUMBERS, '(C,) objects of each class in the whole image.')
    gt_map = _field('gt_map', PixelData, 'Targets of the codec by name, (K, h, w) each.')
    pred_counts = _field('pred_counts', _NUMBERS, '(C,) predicted objects of each class, never rounded.')
    pred_density = _field('pred_density', PixelData, '``data`` (C, h, w): predicted objects per cell.')
    pred_calibrated_counts = _field('pred_calibrated_counts', _NUMBERS, '(C,) counts after the fitted line.')
    pred_interval = _field('pred_interval', _NUMBERS, '(C, 2) lower and upper bound of the calibrated count.')
    pred_spread = _field('pred_spread', _NUMBERS, "(C,) deviation of the method's own estimates.")
    saturated = _field('saturated', bool, 'Whether a cap of the method was reached.')
