"""HRNet as it was published for dense prediction: its resolutions are fused by bilinear interpolation."""

from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmdet.models.backbones.hrnet import HRModule, HRNet
from mmengine.model import BaseModule
from torch import Tensor

from mmcount.registry import MODELS


class BilinearFuseModule(BaseModule):
    """An `HRModule` that resizes coarse branches bilinearly, to exactly the size of the branch they are added to.

    mmdet's repeats each value a whole number of times, which does not fit where a side is no multiple of the stride.

    Args:
        module: The module whose layers are taken over, under their names.
    """

    def __init__(self, module: HRModule) -> None:
        super().__init__()
        self.branches = module.branches
        self.fuse_layers = module.fuse_layers
        self.relu = module.relu
        for row in self.fuse_layers or ():
            for index, layer in enumerate(row):
                if isinstance(layer, nn.Sequential) and isinstance(layer[-1], nn.Upsample):
                    row[index] = layer[:-1]

    def forward(self, x: list[Tensor]) -> list[Tensor]:
        """The features of every branch, finest first, each the sum of all branches at its size."""
        x = [branch(one) for branch, one in zip(self.branches, x, strict=True)]
        if self.fuse_layers is None:
            return x
        fused = []
        for target, row in enumerate(self.fuse_layers):
            parts = [one if layer is None else layer(one) for layer, one in zip(row, x, strict=True)]
            size = x[target].shape[-2:]
            parts = [_resize(part, size) for part in parts]
            fused.append(self.relu(sum(parts[1:], start=parts[0])))
        return fused


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[-2:] == size else F.interpolate(x, size=size, mode='bilinear', align_corners=False)


@MODELS.register_module()
class BilinearHRNet(HRNet):
    """mmdet's HRNet with bilinear fusion (Wang et al., "Deep High-Resolution Representation Learning", 2020).

    Networks for segmentation and localisation, IIM among them, were published so. Keys are those of mmdet's HRNet and
    of the released ImageNet weights, for example ``open-mmlab://msra/hrnetv2_w48``. Unlike there, batch normalisation
    trains by default, with the published momentum.

    Args:
        extra: As in mmdet: four stages of ``num_modules``, ``num_branches``, ``block``, ``num_blocks``,
            ``num_channels``.
        norm_cfg: Normalisation.
        norm_eval: Keep batch normalisation at its stored statistics.
        **kwargs: As :class:`mmdet.models.HRNet`.

    Shape:
        x: (B, 3, H, W) -> list of one (B, C_i, ceil(H / s), ceil(W / s)) for each branch, s = 4, 8, 16, 32.

    Example:
        >>> stage = dict(num_modules=1, block='BASIC')
        >>> extra = dict(
        ...     stage1=dict(stage, num_branches=1, num_blocks=(1,), num_channels=(8,)),
        ...     stage2=dict(stage, num_branches=2, num_blocks=(1, 1), num_channels=(8, 16)),
        ...     stage3=dict(stage, num_branches=3, num_blocks=(1, 1, 1), num_channels=(8, 16, 24)),
        ...     stage4=dict(stage, num_branches=4, num_blocks=(1, 1, 1, 1), num_channels=(8, 16, 24, 32)),
        ... )
        >>> [tuple(feat.shape) for feat in BilinearHRNet(extra)(torch.zeros(1, 3, 40, 36))]
        [(1, 8, 10, 9), (1, 16, 5, 5), (1, 24, 3, 3), (1, 32, 2, 2)]
    """

    def __init__(
        self,
        extra: dict,
        norm_cfg: dict = dict(type='BN', momentum=0.01),
        norm_eval: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(extra, norm_cfg=norm_cfg, norm_eval=norm_eval, **kwargs)

    def _make_stage(self, *args: Any, **kwargs: Any) -> tuple[nn.Module, list[int]]:
        stage, channels = super()._make_stage(*args, **kwargs)
        for index, module in enumerate(stage):
            stage[index] = BilinearFuseModule(module)
        return stage, channels

    def train(self, mode: bool = True) -> 'BilinearHRNet':
        """Train or evaluate; ``norm_eval`` keeps normalisation at its stored statistics."""
        super().train(mode)
        return self
