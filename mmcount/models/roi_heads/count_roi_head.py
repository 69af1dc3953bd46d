"""CLCNet with one stage: Faster R-CNN whose boxes say their count."""

from collections.abc import Mapping
from typing import Any

from mmdet.models.roi_heads import StandardRoIHead

from mmcount.codecs import BoxCountCodec
from mmcount.registry import MODELS

from .count_output import build_codec
from .count_prediction import CountPredictionMixin


@MODELS.register_module()
class CountRoIHead(CountPredictionMixin, StandardRoIHead):
    """mmdet's ``StandardRoIHead`` with a :class:`CountBBoxHead`: CLCNet s(1).

    ``train_cfg.rcnn.sampler`` must be one of counts, such as :class:`CountRandomSampler`.

    Args:
        codec: :class:`mmcount.codecs.BoxCountCodec` of one stage, or its config.
        bbox_head: Config of the head, without codec.
        **kwargs: As mmdet's ``StandardRoIHead``.

    Raises:
        ValueError: The codec has more than one stage.

    Example:
        >>> roi_head = dict(
        ...     type='mmcount.CountRoIHead',
        ...     codec=dict(type='mmcount.DigitCodec', max_count=56, base=2),
        ...     bbox_head=dict(type='mmcount.CountBBoxHead', num_classes=140),
        ... )
    """

    def __init__(self, codec: BoxCountCodec | Mapping[str, Any], bbox_head: Mapping[str, Any], **kwargs: Any) -> None:
        built = build_codec(codec, 1)
        super().__init__(bbox_head=dict(bbox_head, codec=built, stage=0), **kwargs)
        self.codec = built
