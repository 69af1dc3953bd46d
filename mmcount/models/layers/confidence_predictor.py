"""From features to a confidence map of full resolution."""

from collections.abc import Sequence

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn


class ConfidencePredictor(BaseModule):
    """A 1x1 convolution, and transposed convolutions of which each doubles the resolution; the last gives the logits.

    With 768 or 720 channels and the defaults, the head of the confidence predictor of Gao et al., "Learning
    Independent Instance Maps for Crowd Localization", 2020.

    Args:
        in_channels: Channels of the features.
        num_classes: K.
        feat_channels: Channels behind the 1x1 convolution; None for as many as before.
        upsample_channels: Channels behind each transposed convolution but the last; their number + 1 is the power of
            two by which the map is larger than the features.
        norm_cfg: Normalisation behind the 1x1 convolution.
        init_cfg: Initialisation; the published one leaves the transposed convolutions at PyTorch's.

    Shape:
        x: (B, in_channels, h, w) -> (B, K, s h, s w) logits, s = 2^(len(upsample_channels) + 1).

    Example:
        >>> import torch
        >>> ConfidencePredictor(8, upsample_channels=(4,))(torch.zeros(1, 8, 3, 5)).shape
        torch.Size([1, 1, 12, 20])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int = 1,
        feat_channels: int | None = None,
        upsample_channels: Sequence[int] = (64,),
        norm_cfg: dict = dict(type='BN'),
        init_cfg: dict | list[dict] | None = dict(type='Normal', layer='Conv2d', std=0.01),
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        channels = in_channels if feat_channels is None else feat_channels
        self.conv = nn.Conv2d(in_channels, channels, 1)
        self.norm = build_norm_layer(norm_cfg, channels)[1]
        self.relu = nn.ReLU(inplace=True)
        layers: list[nn.Module] = []
        for out_channels in upsample_channels:
            layers += [nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1), nn.ReLU(inplace=True)]
            channels = out_channels
        layers.append(nn.ConvTranspose2d(channels, num_classes, 4, stride=2, padding=1))
        self.upsample = nn.Sequential(*layers)
        self.scale = 2 ** (len(upsample_channels) + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Features to logits."""
        return self.upsample(self.relu(self.norm(self.conv(x))))
