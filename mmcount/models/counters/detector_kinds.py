"""Which models of mmdet find boxes that can be counted in, and how many classes they tell apart."""

from collections.abc import Mapping
from typing import Any

from mmdet.models import detectors
from mmdet.models.dense_heads import YOLOXHead
from torch import nn

from mmcount.registry import MODELS

#: Models of mmdet that are no detectors of boxes, with their subclasses, and why. The first that fits is named.
_REFUSED: tuple[tuple[type, str], ...] = (
    (detectors.RPN, 'it proposes boxes without classes; wrap a detector in two stages, which holds it'),
    (detectors.MaskFormer, 'it predicts masks and no boxes'),
    (detectors.SOLO, 'it predicts masks and no boxes'),
    (detectors.SOLOv2, 'it predicts masks and no boxes'),
    (detectors.TwoStagePanopticSegmentor, 'it predicts one panoptic map and no boxes; wrap its Mask R-CNN'),
    (
        detectors.SemiBaseDetector,
        'it trains a student and a teacher; train it first, then wrap the config in its `detector`, with the weights '
        'of one of the two',
    ),
    (detectors.CLRNet, 'it predicts lanes and no boxes'),
    (
        detectors.TridentFasterRCNN,
        'its branches make several features of each image, of which a count head would read one',
    ),
    (detectors.Detectron2Wrapper, 'its features are inside of Detectron2'),
)


def detector_class(cfg: Mapping[str, Any]) -> type | None:
    """The class that the ``type`` of a config names; None where no registry knows it."""
    kind = cfg['type']
    if not isinstance(kind, str):
        return kind
    with MODELS.switch_scope_and_registry(cfg.get('_scope_')) as registry:
        return registry.get(kind)


def refuse_other_models(cfg: Mapping[str, Any]) -> None:
    """Refuse the config of a model that is no detector of boxes.

    Raises:
        ValueError: It is none; the message names the model, the reason and, where there is one, the way out.
    """
    kind = detector_class(cfg)
    if kind is None:  # building it says so
        return
    reasons = [reason for refused, reason in _REFUSED if issubclass(kind, refused)]
    if not issubclass(kind, detectors.BaseDetector):
        reasons.append('it is no detector of mmdet (a subclass of BaseDetector)')
    if reasons:
        raise ValueError(
            f'CountingDetector counts in the boxes of a detector and cannot wrap {kind.__name__}: {reasons[0]}'
        )


def refuse_ignored_options(detector: nn.Module) -> None:
    """Refuse an option that the detector would ignore without a word.

    Raises:
        ValueError: The head of YOLOX is given ``max_per_img``.
    """
    head = getattr(detector, 'bbox_head', None)
    options = getattr(head, 'test_cfg', None) or {}
    if isinstance(head, YOLOXHead) and 'max_per_img' in options:
        raise ValueError(
            f'the YOLOXHead of mmdet ignores test_cfg.max_per_img={options["max_per_img"]}: set '
            f'test_cfg=dict(nms=dict(max_num={options["max_per_img"]})) instead'
        )


def detected_classes(detector: nn.Module) -> int:
    """Number of classes of a detector, as its box head says.

    Raises:
        ValueError: It has no box head, or one that does not say.
    """
    if hasattr(detector, 'num_classes'):
        return int(detector.num_classes)
    head = getattr(detector, 'bbox_head', None)
    if head is None:
        head = getattr(getattr(detector, 'roi_head', None), 'bbox_head', None)
    if isinstance(head, nn.ModuleList):
        head = head[-1]
    if head is None or not hasattr(head, 'num_classes'):
        raise ValueError(f'the number of classes of {type(detector).__name__} is unknown: set num_classes')
    return int(head.num_classes)
