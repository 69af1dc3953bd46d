"""Prediction of RoI heads that count."""

from collections.abc import Sequence
from typing import Any

from mmengine.structures import InstanceData
from torch import Tensor

from .count_bbox_head import with_empty_counts


class CountPredictionMixin:
    """Before mmdet's RoI heads in the order of bases: every image gets counts, and none that its neighbours move."""

    def predict_bbox(
        self,
        x: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rpn_results_list: list[InstanceData],
        *args: Any,
        **kwargs: Any,
    ) -> list[InstanceData]:
        """As mmdet's; images of a batch without any proposal have empty counts too.

        Raises:
            ValueError: Images of the batch were padded to the size of another.
        """
        refuse_foreign_padding(batch_img_metas)
        results = super().predict_bbox(x, batch_img_metas, rpn_results_list, *args, **kwargs)  # type: ignore[misc]
        return [one if 'counts' in one else with_empty_counts(one) for one in results]


def refuse_foreign_padding(batch_img_metas: Sequence[dict]) -> None:
    """Check that no image was padded further than it would be alone.

    Args:
        batch_img_metas: ``pad_shape`` and ``batch_input_shape`` of each image, where its preprocessor writes them.

    Raises:
        ValueError: One was.
    """
    for meta in batch_img_metas:
        own, batch = (tuple(meta.get(key) or ())[:2] for key in ('pad_shape', 'batch_input_shape'))
        if own and batch and own != batch:
            raise ValueError(
                f'image {meta.get("img_id", "?")} of {own} px was padded to {batch} px by its neighbours in the batch, '
                "which would change its counts: set type='mmcount.CLCNet' of the model, which predicts images of one "
                'size together, or batch_size=1'
            )
