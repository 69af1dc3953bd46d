"""The data contract: what a sample carries from the data set to the metric."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

#: `numpy()` and `tensor()` of a sample turn one into the other.
_NUMBERS = (torch.Tensor, np.ndarray)


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

    @property
    def gt_counts(self) -> Tensor:
        """(C,) objects of each class in the whole image."""
        return self._gt_counts

    @gt_counts.setter
    def gt_counts(self, value: Tensor) -> None:
        self.set_field(value, '_gt_counts', dtype=_NUMBERS)

    @gt_counts.deleter
    def gt_counts(self) -> None:
        del self._gt_counts

    @property
    def gt_map(self) -> PixelData:
        """``data`` (C, h, w): the target of the network."""
        return self._gt_map

    @gt_map.setter
    def gt_map(self, value: PixelData) -> None:
        self.set_field(value, '_gt_map', dtype=PixelData)

    @gt_map.deleter
    def gt_map(self) -> None:
        del self._gt_map

    @property
    def pred_counts(self) -> Tensor:
        """(C,) predicted objects of each class, never rounded."""
        return self._pred_counts

    @pred_counts.setter
    def pred_counts(self, value: Tensor) -> None:
        self.set_field(value, '_pred_counts', dtype=_NUMBERS)

    @pred_counts.deleter
    def pred_counts(self) -> None:
        del self._pred_counts

    @property
    def pred_density(self) -> PixelData:
        """``data`` (C, h, w): predicted objects per cell."""
        return self._pred_density

    @pred_density.setter
    def pred_density(self, value: PixelData) -> None:
        self.set_field(value, '_pred_density', dtype=PixelData)

    @pred_density.deleter
    def pred_density(self) -> None:
        del self._pred_density

    @property
    def pred_interval(self) -> Tensor:
        """(C, 2) lower and upper bound of the count."""
        return self._pred_interval

    @pred_interval.setter
    def pred_interval(self, value: Tensor) -> None:
        self.set_field(value, '_pred_interval', dtype=_NUMBERS)

    @pred_interval.deleter
    def pred_interval(self) -> None:
        del self._pred_interval

    @property
    def saturated(self) -> bool:
        """Whether a cap of the method was reached."""
        return self._saturated

    @saturated.setter
    def saturated(self, value: bool) -> None:
        self.set_field(value, '_saturated', dtype=bool)

    @saturated.deleter
    def saturated(self) -> None:
        del self._saturated
