"""A detector of mmdet inside of a model of ours: built from its config, lent its features, found by hooks and tools."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import CenterNetHead, CornerHead, SSDHead
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmcount.registry import MODELS

from .detector_config import resolve_detector
from .detector_features import evaluation_mode, given_features
from .detector_kinds import refuse_ignored_options, refuse_other_models
from .detector_limits import innermost


class DetectorWrapper(BaseDetector):
    """Base of models that add something to the boxes of a detector, whose features are computed once.

    Args:
        detector: The config of an mmdet model, its name, or a dict that names one as ``_base_``, see
            :func:`resolve_detector`.
        num_classes: C, given to all heads of the detector; None leaves theirs.
        backbone: What differs in the backbone of the detector. Tools of mmdet such as ``init_detector`` look for the
            backbone at the top of a model.
        freeze_detector: The detector stays in evaluation mode and costs no gradients.
        data_preprocessor: Config; None takes the detector's.
        init_cfg: Initialisation of the wrapper.

    Raises:
        ValueError: The config is that of a model that finds no boxes, or sets an option that the model ignores.
    """

    def __init__(
        self,
        detector: Mapping[str, Any] | str,
        num_classes: int | None = None,
        backbone: Mapping[str, Any] | None = None,
        freeze_detector: bool = False,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        cfg = resolve_detector(detector, num_classes, backbone)
        refuse_other_models(cfg)
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.detector: nn.Module = MODELS.build(cfg)
        if not self.detector.with_bbox:
            name = type(self.detector).__name__
            raise ValueError(f'{name} has neither a bbox_head nor a roi_head with boxes: there is no box to count in')
        refuse_ignored_options(self.detector)
        # Batches must be prepared, and augmented, once: here.
        if data_preprocessor is None:
            self.data_preprocessor = self.detector.data_preprocessor
        self.detector.data_preprocessor = BaseDataPreprocessor()
        for part in self.detector.modules():
            # mmdet's dense heads ask the classification loss for options when they predict; SSD's has none to ask.
            if isinstance(part, SSDHead) and not hasattr(part, 'loss_cls'):
                part.loss_cls = None
        head = getattr(innermost(self.detector), 'bbox_head', None)
        #: Whether the detector takes the border that `RandomCenterCropPad` added off its boxes.
        self.subtracts_border = isinstance(head, CenterNetHead | CornerHead)
        self.freeze_detector = freeze_detector
        if freeze_detector:
            self.detector.requires_grad_(False)
            self.detector.eval()

    # Hooks and tools of mmdet look for the parts of a detector in the model.
    @property
    def backbone(self) -> nn.Module:
        """The detector's."""
        return self.detector.backbone

    @property
    def neck(self) -> nn.Module:
        """The detector's."""
        return self.detector.neck

    @property
    def bbox_head(self) -> nn.Module:
        """The detector's."""
        return self.detector.bbox_head

    @property
    def rpn_head(self) -> nn.Module:
        """The detector's."""
        return self.detector.rpn_head

    @property
    def roi_head(self) -> nn.Module:
        """The detector's."""
        return self.detector.roi_head

    def train(self, mode: bool = True) -> 'DetectorWrapper':
        """Training or evaluation mode; a frozen detector stays in the latter."""
        super().train(mode)
        if self.freeze_detector:
            self.detector.eval()
        return self

    def extract_feat(self, batch_inputs: Tensor) -> Sequence[Tensor]:
        """(B, 3, H, W) -> the feature levels of the detector."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_detector):
            return self.detector.extract_feat(batch_inputs)

    def run_detector(
        self, batch_inputs: Tensor, feats: Sequence[Tensor], samples: list[DetDataSample], rescale: bool
    ) -> list[DetDataSample]:
        """The predictions of the detector on features that were computed already."""
        for sample in samples:
            # mmdet's heads insist on these; without resizing and without a border they are:
            if sample.get('scale_factor') is None:
                sample.set_metainfo(dict(scale_factor=(1.0, 1.0)))
            if self.subtracts_border and sample.get('border') is None:
                sample.set_metainfo(dict(border=(0.0, 0.0, 0.0, 0.0)))
        with given_features(self.detector, batch_inputs, feats):
            return self.detector.predict(batch_inputs, samples, rescale=rescale)

    @torch.no_grad()
    def detect(self, batch_inputs: Tensor, feats: Sequence[Tensor], samples: list[DetDataSample]) -> list[Tensor]:
        """Predictions of the detector for training images: (N, 4) boxes of each, in px of the input."""
        # Fresh samples: predicting writes into them, and some detectors read what is there.
        fresh = [type(sample)(metainfo=sample.metainfo) for sample in samples]
        for new, sample in zip(fresh, samples, strict=True):
            if 'proposals' in sample:
                new.proposals = sample.proposals
        # In full precision: operators such as non-maximum suppression know no other everywhere.
        dtype = next(self.detector.parameters()).dtype
        own = [feat.detach().to(dtype) for feat in feats]
        with evaluation_mode(self.detector), torch.autocast(batch_inputs.device.type, enabled=False):
            results = self.run_detector(batch_inputs, own, fresh, rescale=False)
        return [self.input_boxes(result, rescaled=False) for result in results]

    def input_boxes(self, sample: DetDataSample, rescaled: bool) -> Tensor:
        """(N, 4) predicted boxes of an image in px of the network's input.

        Args:
            sample: With ``pred_instances``.
            rescaled: Whether these are in px of the original image.
        """
        boxes: Tensor = sample.pred_instances.bboxes
        if rescaled:
            boxes = boxes * boxes.new_tensor(sample.scale_factor).repeat(2)
        if self.subtracts_border:
            top, _, left, _ = (float(side) for side in sample.border)
            boxes = boxes + boxes.new_tensor([left, top, left, top])
        return boxes
