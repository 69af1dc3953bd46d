"""The plain baseline: a density map."""

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmcount.codecs import CountCodec
from mmcount.registry import MODELS

from .dense_head import MapLossHead


@MODELS.register_module()
class DensityMapHead(MapLossHead):
    """Features to objects per cell; the count is the sum.

    Objects per cell are small numbers (a Gaussian of 4 pixels peaks at 0.01), which a loss hardly feels. The network
    therefore works on ``density * target_scale``, and the scale never leaves this head.

    Args:
        codec: A :class:`mmcount.codecs.DensityCodec`.
        in_channels: Channels of the features.
        feat_channels: Channels of the hidden 3x3 convolutions; an empty tuple is a single 1x1 convolution.
        target_scale: Factor on the density inside the head.
        loss: Loss on the scaled maps.
        norm_cfg: Normalisation of the hidden layers.
        init_cfg: Initialisation.

    Raises:
        ValueError: ``target_scale`` is not positive; or, when a checkpoint is loaded, it is of another stride: objects
            per cell would be off by the square of the ratio.
    """

    def __init__(
        self,
        codec: dict | CountCodec,
        in_channels: int,
        feat_channels: tuple[int, ...] = (),
        target_scale: float = 100.0,
        loss: dict = dict(type='mmdet.MSELoss'),
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = dict(type='Xavier', layer='Conv2d', distribution='uniform'),
    ) -> None:
        super().__init__(codec, loss, init_cfg)
        if target_scale <= 0:
            raise ValueError(f'target_scale must be positive, got {target_scale}')
        self.target_scale = target_scale
        hidden = []
        for channels in feat_channels:
            hidden.append(ConvModule(in_channels, channels, 3, padding=1, norm_cfg=norm_cfg))
            in_channels = channels
        self.hidden = nn.Sequential(*hidden)
        self.conv = nn.Conv2d(in_channels, self.num_classes, 1)
        # Goes with the weights: they hold objects per cell of this size.
        self.register_buffer('trained_stride', torch.tensor(self.codec.stride))
        self.register_load_state_dict_pre_hook(_check_stride)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """((B, in_channels, h, w),) -> ((B, C, h, w),) objects per cell."""
        return (self.conv(self.hidden(feats[-1])).float() / self.target_scale,)

    def map_loss(self, pred: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """Mean loss of the scaled maps."""
        return super().map_loss(pred * self.target_scale, target * self.target_scale, mask)

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Start at the (C,) mean density of the first training targets."""
        self.conv.bias.data.copy_(target_mean * self.target_scale)


def _check_stride(module: nn.Module, state_dict: dict[str, Tensor], prefix: str, *unused: object) -> None:
    name = f'{prefix}trained_stride'
    # Checkpoints of before hold no stride.
    trained = int(state_dict.setdefault(name, module.trained_stride.clone()))
    if trained != int(module.trained_stride):
        raise ValueError(
            f'these weights give objects per cell of stride {trained}, and the codec has stride '
            f'{int(module.trained_stride)}: counts would be off by the square of the ratio. Give the codec and the '
            f'backbone stride={trained}'
        )
