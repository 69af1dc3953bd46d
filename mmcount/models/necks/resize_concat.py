"""All levels side by side at the resolution of the finest."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmcount.registry import MODELS

MODES = ('nearest', 'bilinear')


@MODELS.register_module()
class ResizeConcat(BaseModule):
    """Resize every level to the size of the first one and concatenate the channels.

    Args:
        mode: 'nearest' or 'bilinear' (corners not aligned).

    Shape:
        feats: (B, C_i, h_i, w_i) each -> a tuple of one (B, sum of C_i, h_0, w_0).

    Raises:
        ValueError: ``mode`` is none of these.

    Example:
        >>> feats = (torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 4, 4))
        >>> ResizeConcat()(feats)[0].shape
        torch.Size([1, 5, 8, 8])
    """

    def __init__(self, mode: str = 'nearest') -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f'mode must be one of {MODES}, got {mode!r}')
        self.mode = mode

    def forward(self, feats: tuple[Tensor, ...] | list[Tensor]) -> tuple[Tensor]:
        """The levels, finest first, as one."""
        size = feats[0].shape[-2:]
        options = {} if self.mode == 'nearest' else dict(align_corners=False)
        same = [
            feat if feat.shape[-2:] == size else F.interpolate(feat, size=size, mode=self.mode, **options)
            for feat in feats
        ]
        return (torch.cat(same, dim=1),)
