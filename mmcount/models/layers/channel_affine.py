"""Scale and shift of every channel, without statistics."""

import torch
from torch import Tensor, nn

from mmcount.registry import MODELS


@MODELS.register_module()
class ChannelAffine(nn.Module):
    """``weight * x + bias`` per channel.

    What the released code of Count-ception trains in place of batch normalisation: its stored averages are never
    updated, so they stay at mean 0 and scale 1. Use it as ``norm_cfg=dict(type='mmcount.ChannelAffine')``.

    Args:
        num_features: Channels.
        eps: Ignored; norm layers are built with it.

    Shape:
        x: (B, num_features, H, W) -> the same.
    """

    _abbr_ = 'affine'

    def __init__(self, num_features: int, eps: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift."""
        return torch.addcmul(self.bias.to(x.dtype)[:, None, None], x, self.weight.to(x.dtype)[:, None, None])
