"""CLCNet with one stage: Faster R-CNN whose boxes say their count."""

from collections.abc import Mapping
from typing import Any

from mmdet.models.roi_heads import StandardRoIHead
from mmengine.structures import InstanceData
from torch import Tensor

from mmcount.codecs import BoxCountCodec
from mmcount.registry import MODELS

from .count_bbox_head import with_empty_counts
from .count_output import build_codec


@MODELS.register_module()
class CountRoIHead(StandardRoIHead):
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
        super().__init__(bbox_head=dict(bbox_head, codec=build_codec(codec, 1), stage=0), **kwargs)

    def predict_bbox(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        *args: Any,
        **kwargs: Any,
    ) -> list[InstanceData]:
        """As mmdet's; images of a batch without any proposal have empty counts too."""
        results = super().predict_bbox(x, batch_img_metas, rpn_results_list, *args, **kwargs)
        return [one if 'counts' in one else with_empty_counts(one) for one in results]
