"""Attention over places and over channels (SCAR)."""

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn


def _projection(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))


class SpatialAttention(nn.Module):
    """Every place adds what all places of its map say, weighted by the likeness of their queries and keys.

    The (h w) x (h w) weights are never held as a whole, so memory grows with the size of the map and not its square.
    ``weight`` is 0 at first: the layer then changes nothing.

    Args:
        channels: c.
        key_channels: Of queries and keys.

    Shape:
        (B, c, h, w) -> (B, c, h, w).
    """

    def __init__(self, channels: int, key_channels: int) -> None:
        super().__init__()
        if key_channels > channels:
            raise ValueError(f'key_channels must not exceed the {channels} channels, got {key_channels}')
        self.query = _projection(channels, key_channels)
        self.key = _projection(channels, key_channels)
        self.value = _projection(channels, channels)
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, feat: Tensor) -> Tensor:
        """Attend over the places."""
        query, key, value = (one(feat).flatten(2).transpose(1, 2) for one in (self.query, self.key, self.value))
        # Zeros change no product, and with one width for all three PyTorch takes its memory-saving kernel.
        missing = value.shape[2] - query.shape[2]
        query, key = F.pad(query, (0, missing)), F.pad(key, (0, missing))
        query, key, value = (one.contiguous()[:, None] for one in (query, key, value))
        said = F.scaled_dot_product_attention(query, key, value, scale=1.0)
        return feat + self.weight * said[:, 0].transpose(1, 2).reshape_as(feat)


class ChannelAttention(nn.Module):
    """Every channel adds what all channels say, weighted by the likeness of their maps.

    Shape:
        (B, c, h, w) -> (B, c, h, w).
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, feat: Tensor) -> Tensor:
        """Attend over the channels."""
        flat = feat.flatten(2)
        likeness = (flat @ flat.transpose(1, 2)).softmax(dim=-1)
        return feat + self.weight * (likeness @ flat).reshape_as(feat)


class SpatialChannelAttention(nn.Module):
    """Two paths, one with attention over places and one over channels, joined by a 1x1 convolution and a ReLU.

    Gao, Wang, Yuan, "SCAR: Spatial-/Channel-wise Attention Regression Networks for Crowd Counting", Neurocomputing
    2019, in the form that IIM's scale network has.

    Args:
        in_channels: Of the features; each path has a quarter of them.
        out_channels: Of the result, which is not negative.

    Example:
        >>> SpatialChannelAttention(64, 1)(torch.rand(2, 64, 8, 6)).shape
        torch.Size([2, 1, 8, 6])
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        width = in_channels // 4
        if width < 1:
            raise ValueError(f'in_channels must be at least 4, got {in_channels}')
        options = dict(kernel_size=3, padding=1, norm_cfg=dict(type='BN'))
        self.spatial = nn.Sequential(
            ConvModule(in_channels, width, **options),
            SpatialAttention(width, max(width // 8, 1)),
            ConvModule(width, width, **options),
        )
        self.channel = nn.Sequential(
            ConvModule(in_channels, width, **options), ChannelAttention(), ConvModule(width, width, **options)
        )
        self.out = nn.Conv2d(2 * width, out_channels, 1)

    def forward(self, feat: Tensor) -> Tensor:
        """(B, in_channels, h, w) -> (B, out_channels, h, w)."""
        return self.out(torch.cat([self.spatial(feat), self.channel(feat)], dim=1)).relu()
