"""The head of IIM: a confidence map, and a threshold that cuts it into independent instances."""

from typing import Any

from torch import Tensor, nn

from mmcount.codecs import CountCodec, InstanceMapCodec
from mmcount.models.binarization import binarize
from mmcount.models.layers import ConfidencePredictor
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

from .dense_head import DenseCountHead, masked_mean_loss


@MODELS.register_module()
class InstanceMapHead(DenseCountHead):
    """Features to a confidence map and its thresholds; objects are the components of ``confidence >= threshold``.

    Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020. The confidence learns the instance
    map by the squared error. The binarized map learns it by the absolute error, whose gradient reaches the thresholds
    and, weaker, the confidence: see :func:`mmcount.models.binarization.binarize`.

    Args:
        codec: A :class:`mmcount.codecs.InstanceMapCodec`.
        in_channels: Channels of the last features.
        binarizer: Config of the threshold: `PixelThreshold`, `ImageThreshold` or `FixedThreshold`.
        predictor: Further arguments of :class:`mmcount.models.layers.ConfidencePredictor`.
        loss: Loss on the confidence map.
        loss_bin: Loss on the binarized map; None for none, which leaves a learned threshold as it began.
        grad_scales: Factors of the gradient of ``loss_bin`` to confidence and thresholds; (0, -1) does not let it
            reach the confidence (Table 3).
        init_cfg: Initialisation.

    Raises:
        TypeError: ``codec`` is no `InstanceMapCodec`.

    Example:
        >>> import torch
        >>> head = InstanceMapHead(
        ...     codec=dict(type='mmcount.InstanceMapCodec'),
        ...     in_channels=8,
        ...     binarizer=dict(type='mmcount.PixelThreshold', in_channels=8, feat_channels=(4,), pool_size=3),
        ... )
        >>> confidence, threshold = head((torch.rand(1, 8, 8, 6),))
        >>> confidence.shape, threshold.shape
        (torch.Size([1, 1, 32, 24]), torch.Size([1, 1, 32, 24]))
    """

    def __init__(
        self,
        codec: dict | CountCodec,
        in_channels: int,
        binarizer: dict | nn.Module,
        predictor: dict[str, Any] | None = None,
        loss: dict = dict(type='mmdet.MSELoss'),
        loss_bin: dict | None = dict(type='mmdet.L1Loss'),
        grad_scales: tuple[float, float] = (0.2, -1.0),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(codec, init_cfg)
        if not isinstance(self.codec, InstanceMapCodec):
            raise TypeError(f'InstanceMapHead needs an InstanceMapCodec, got {type(self.codec).__name__}')
        self.predictor = ConfidencePredictor(in_channels, self.num_classes, **(predictor or {}))
        self.binarizer = MODELS.build(binarizer)
        self.loss_module = MODELS.build(loss)
        self.loss_bin_module = MODELS.build(loss_bin) if loss_bin else None
        self.grad_scales = (float(grad_scales[0]), float(grad_scales[1]))

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """((B, in_channels, h, w),) -> confidence in 0..1 and thresholds, (B, C, H, W) float32 each."""
        confidence = self.predictor(feats[-1]).float().sigmoid()
        return confidence, self.binarizer(feats[-1], confidence)

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Means over all cells of the images, without the padding of a batch.

        Returns:
            ``loss_conf`` and, unless it is switched off, ``loss_bin``.
        """
        confidence, threshold = maps
        target, mask = self.targets(maps, data_samples)
        losses = dict(loss_conf=masked_mean_loss(self.loss_module, confidence, target, mask))
        if self.loss_bin_module is not None:
            binary = binarize(confidence, threshold, self.grad_scales)
            losses['loss_bin'] = masked_mean_loss(self.loss_bin_module, binary, target, mask)
        return losses
