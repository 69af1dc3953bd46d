"""CLCNet: Faster or Cascade R-CNN whose boxes say how many objects they hold."""

from functools import partial
from typing import Any

from mmdet.models.detectors import TwoStageDetector
from mmdet.structures import DetDataSample
from torch import Tensor

from mmcount.codecs import BoxCountCodec
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

from .size_groups import predict_by_size
from .value_readers import counted_sample


@MODELS.register_module()
class CLCNet(TwoStageDetector):
    """mmdet's detector in two stages with a RoI head that counts (Cai et al., AAAI 2021).

    Parts, training and checkpoints are those of mmdet's ``FasterRCNN`` (one stage) and ``CascadeRCNN``. In addition the
    images of a batch are predicted by size, so that no count depends on the neighbours of an image, and
    :class:`mmcount.models.counters.CountingTTAModel` can merge the counts of several views.

    Args:
        backbone: Config.
        neck: Config.
        rpn_head: Config.
        roi_head: Config of :class:`mmcount.models.roi_heads.CountRoIHead` or ``CascadeCountRoIHead``.
        train_cfg: As mmdet's.
        test_cfg: As mmdet's.
        data_preprocessor: Config.
        init_cfg: Initialisation.

    Raises:
        ValueError: The RoI head has no codec of counts.

    Example:
        >>> model = dict(
        ...     _base_='mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
        ...     type='mmcount.CLCNet',
        ...     roi_head=dict(type='mmcount.CascadeCountRoIHead'),
        ... )
    """

    attribute = 'counts'
    score_name = 'count_scores'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(getattr(self.roi_head, 'codec', None), BoxCountCodec):
            raise ValueError(
                f'CLCNet needs a RoI head that counts, got {type(self.roi_head).__name__}: set '
                "roi_head=dict(type='mmcount.CountRoIHead') or, for a cascade, 'mmcount.CascadeCountRoIHead'"
            )

    @property
    def codec(self) -> BoxCountCodec:
        """The RoI head's."""
        return self.roi_head.codec

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[CountDataSample]:
        """As mmdet's; images of one size run together, those of other sizes after them.

        Args:
            batch_inputs: (B, 3, H, W).
            batch_data_samples: Samples of mmdet's own type are copied into ours; others are changed and returned.
            rescale: Whether boxes are given in pixels of the original images.
        """
        samples = [counted_sample(sample) for sample in batch_data_samples]
        return predict_by_size(partial(super().predict, rescale=rescale), batch_inputs, samples)

    def write_values(self, sample: CountDataSample, values: Tensor, scores: Tensor) -> None:
        """Write (N,) counts and their scores into the predicted boxes of an image."""
        sample.pred_instances.counts, sample.pred_instances.count_scores = values, scores
