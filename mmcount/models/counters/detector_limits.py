"""How many objects a detector can find in an image at most."""

from collections.abc import Mapping
from typing import Any

from mmdet.models.dense_heads import YOLOXHead
from torch import nn

#: Options of ``test_cfg`` that limit the boxes of an image: of most heads, of CenterNet, of CornerNet, of YOLACT.
_LIMITS = ('max_per_img', 'topk', 'corner_topk', 'top_k')


def innermost(model: nn.Module) -> nn.Module:
    """The detector inside of wrappers: of counts, of test-time augmentation, of distributed training."""
    while True:
        inner = getattr(model, 'detector', None) or getattr(model, 'module', None)
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def detection_cap(model: nn.Module) -> int | None:
    """The most boxes that a detector gives for an image.

    As many boxes or more among those that count mean that objects may be missing. The smallest of these limits counts:
    ``max_per_img`` of the final boxes and, of detectors in two stages, of the proposals; learnt proposals and queries;
    ``max_num`` of the non-maximum suppression; ``topk`` of CenterNet, ``corner_topk`` of CornerNet, ``top_k`` of
    YOLACT. They are read from the heads that were built, so it does not matter where the config set them.

    Args:
        model: A detector of mmdet, or a wrapper of one.

    Returns:
        A number of boxes, or None where the model knows no limit (such as a counter that predicts maps).

    Example:
        >>> head = nn.Module()
        >>> head.test_cfg = dict(max_per_img=100, nms=dict(type='nms', iou_threshold=0.5))
        >>> model = nn.Module()
        >>> model.bbox_head, model.num_queries = head, 300
        >>> detection_cap(model)
        100
    """
    model = innermost(model)
    roi_head, rpn_head = getattr(model, 'roi_head', None), getattr(model, 'rpn_head', None)
    if roi_head is not None:
        limits = [*_limits(roi_head), *_limits(rpn_head), getattr(rpn_head, 'num_proposals', None)]
    else:
        limits = [*_limits(getattr(model, 'bbox_head', None)), getattr(model, 'num_queries', None)]
    # 0 and negative numbers mean no limit.
    found = [limit for limit in limits if isinstance(limit, int) and limit > 0]
    return min(found) if found else None


def _limits(head: nn.Module | None) -> list[Any]:
    options = getattr(head, 'test_cfg', None)
    if not isinstance(options, Mapping):
        return []
    # The head of YOLOX keeps all that its non-maximum suppression leaves, whatever max_per_img says.
    limits = [] if isinstance(head, YOLOXHead) else [options.get(key) for key in _LIMITS]
    nms = options.get('nms')
    return [*limits, nms.get('max_num')] if isinstance(nms, Mapping) else limits
