"""A classifier of images: what the pointing counters take their features from."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmcount.registry import MODELS
from mmcount.structures import CountDataSample


def image_labels(samples: list[CountDataSample]) -> Tensor:
    """(N,) int64 class of each image, from ``gt_counts``; -1 where there is no object.

    Raises:
        ValueError: An image has no ``gt_counts``, or objects of several classes; the message names it.
    """
    labels = []
    for sample in samples:
        counts = sample.get('gt_counts')
        if counts is None:
            raise ValueError(f'image {sample.get("img_id", "?")} needs gt_counts to know its class')
        present = torch.nonzero(counts.reshape(-1) > 0)[:, 0]
        if len(present) > 1:
            raise ValueError(
                f'image {sample.get("img_id", "?")} holds objects of the classes {present.tolist()}, expected one class'
            )
        labels.append(present[0] if len(present) else present.new_tensor(-1))
    return torch.stack(labels)


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """Backbone and head; an image's class is that of its objects, so counting data sets train it.

    Args:
        backbone: Config; of mmcount or of mmdet.
        head: Config of what turns features into (B, K) scores; None where the last output of the backbone are scores.
        label_smoothing: Of the cross entropy.
        data_preprocessor: Config.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict | None = None,
        label_smoothing: float = 0.0,
        data_preprocessor: dict | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head) if head else None
        self.label_smoothing = label_smoothing

    def class_scores(self, inputs: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K) scores before the softmax."""
        feats = self.backbone(inputs)
        if self.head is not None:
            return self.head(feats)
        scores: Tensor = feats[-1] if isinstance(feats, (tuple, list)) else feats
        return scores

    def forward(
        self, inputs: Tensor, data_samples: list[CountDataSample] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[CountDataSample] | Tensor:
        """Scores (``'tensor'``), the loss, or samples with ``pred_scores`` (K,) and ``pred_label`` (``'predict'``).

        Raises:
            ValueError: ``mode`` is none of these, or the samples that it needs are missing.
        """
        if mode not in ('loss', 'predict', 'tensor'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        scores = self.class_scores(inputs)
        if mode == 'tensor':
            return scores
        if data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples, got None')
        if mode == 'loss':
            return self.loss(scores, data_samples)
        for sample, own in zip(data_samples, scores.float().softmax(dim=1), strict=True):
            sample.set_field(own, 'pred_scores')
            sample.set_field(int(own.argmax()), 'pred_label')
        return data_samples

    def loss(self, scores: Tensor, data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Cross entropy over the images that hold an object, and the share of them that is right."""
        labels = image_labels(data_samples).to(scores.device)
        known = labels >= 0
        scores, labels = scores[known].float(), labels[known]
        if len(labels) == 0:
            return dict(loss_cls=scores.sum() * 0)
        loss = F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)
        return dict(loss_cls=loss, accuracy=(scores.argmax(dim=1) == labels).float().mean())
