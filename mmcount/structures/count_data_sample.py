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

    ===========================  ================  ==========================================================
    field                        shape, unit       meaning
    ===========================  ================  ==========================================================
    ``gt_instances.points``      (N, 2) px         (x, y), pixel centres at integers
    ``gt_instances.counts``      (N,) int64 >= 1   objects inside each box
    ``gt_counts``                (C,) objects      objects of each class in the image
    ``gt_map.data``              (C, h, w)         the codec's encoding of the ground truth
    ``pred_instances``           P                 ``points`` or ``bboxes``, ``labels``, ``scores``, ``counts``
    ``pred_counts``              (C,) objects      never rounded
    ``pred_density.data``        (C, h, w)         objects per cell; sums to ``pred_counts``
    ``pred_interval``            (C, 2) objects    lower and upper bound, where a method can say it
    ``saturated``                bool              a cap of the method was reached: the count is a lower bound
    ===========================  ================  ==========================================================

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
