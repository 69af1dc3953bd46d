"""The head of IIM: a confidence map, and a threshold that cuts it into independent instances."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmcount.codecs import CountCodec, CountPrediction, InstanceMapCodec
from mmcount.models.binarization import binarize
from mmcount.models.layers import ConfidencePredictor
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

from .dense_head import DenseCountHead, stack_targets


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
        >>> confidence, threshold = head.maps((torch.rand(1, 8, 8, 6),))
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
        super().__init__(codec, loss, init_cfg)
        if not isinstance(self.codec, InstanceMapCodec):
            raise TypeError(f'InstanceMapHead needs an InstanceMapCodec, got {type(self.codec).__name__}')
        self.predictor = ConfidencePredictor(in_channels, self.num_classes, **(predictor or {}))
        self.binarizer = MODELS.build(binarizer)
        self.loss_bin_module = MODELS.build(loss_bin) if loss_bin else None
        self.grad_scales = (float(grad_scales[0]), float(grad_scales[1]))

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """((B, in_channels, h, w),) -> (B, C, H, W) float32, the confidence in 0..1."""
        return self.predictor(feats[-1]).float().sigmoid()

    def maps(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Confidence and thresholds, each (B, C, H, W) float32."""
        confidence = self(feats)
        return confidence, self.binarizer(feats[-1], confidence)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Means over all cells of the images, without the padding of a batch.

        Returns:
            ``loss_conf`` and, unless it is switched off, ``loss_bin``.

        Raises:
            ValueError: The network's map is smaller than the target.
        """
        confidence, threshold = self.maps(feats)
        target, mask = _stack_targets(data_samples, tuple(confidence.shape))
        weights: dict[str, Any] = {}
        if mask is not None:
            weight = mask.expand_as(target)
            weights = dict(weight=weight, avg_factor=float(weight.sum()))
        losses = dict(loss_conf=self.map_loss(confidence, target, **weights))
        if self.loss_bin_module is not None:
            binary = binarize(confidence, threshold, self.grad_scales)
            losses['loss_bin'] = self.loss_bin_module(binary, target, **weights)
        return losses

    def decode_maps(
        self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """Points, boxes and scores (the mean confidence) of the components of every image, and their number.

        Args:
            maps: What :meth:`maps` gave.
            data_samples: Their ``img_shape`` says which part of the maps is theirs.
            stride: The stride that the network ran at, where it is not the codec's.

        Raises:
            ValueError: The maps are smaller than that of an image, or not finite; the message names the image.
        """
        confidence, threshold = (one.float() for one in maps)
        codec = self.codec_at(stride)
        assert isinstance(codec, InstanceMapCodec)
        predictions = []
        for index, sample in enumerate(data_samples):
            img_shape = tuple(sample.img_shape[:2])
            height, width = codec.map_shape(img_shape)
            own = (index, slice(None), slice(height), slice(width))
            # No component holds NaN: the image would count zero without a word.
            if not (confidence[own].sum() + threshold[own].sum()).isfinite():
                raise ValueError(f'image {sample.get("img_id", "?")}: the confidence or its threshold is not finite')
            predictions.append(codec.decode(confidence[own], img_shape, threshold=threshold[own]))
        return predictions


def _stack_targets(samples: list[CountDataSample], shape: tuple[int, ...]) -> tuple[Tensor, Tensor | None]:
    """Targets in the (B, C, H, W) shape of a map that covers the padding of its batch, and their mask."""
    target, mask = stack_targets(samples)
    right, bottom = shape[3] - target.shape[3], shape[2] - target.shape[2]
    if target.shape[:2] != shape[:2] or min(right, bottom) < 0:
        raise ValueError(
            f'the network gives a map of {shape} and the target has {tuple(target.shape)}: the codec of the model must '
            "be the pipeline's, and a network of stride s needs pad_size_divisor=s of its data preprocessor"
        )
    if right or bottom:
        mask = target.new_ones(target.shape[0], 1, *target.shape[2:]) if mask is None else mask
        target, mask = F.pad(target, (0, right, 0, bottom)), F.pad(mask, (0, right, 0, bottom))
    return target, mask
