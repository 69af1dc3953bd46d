"""The network of Count-ception: thin inception modules around two large convolutions, and no pooling."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmcount.models.layers import ConvUnit, SpaceToDepthConv2d
from mmcount.registry import MODELS
from mmcount.utils.moved_options import refuse_moved


class InceptionUnit(BaseModule):
    """A 1x1 and a 3x3 convolution side by side, concatenated in that order.

    Args:
        in_channels: Channels of the input.
        channels_1x1: Channels of the first branch.
        channels_3x3: Channels of the second branch.
        norm_cfg: Normalisation after each convolution.

    Shape:
        x: (B, in_channels, H, W) -> (B, channels_1x1 + channels_3x3, H, W).
    """

    def __init__(self, in_channels: int, channels_1x1: int, channels_3x3: int, norm_cfg: dict | None) -> None:
        super().__init__()
        self.branch_1x1 = ConvUnit(in_channels, channels_1x1, 1, norm_cfg=norm_cfg)
        self.branch_3x3 = ConvUnit(in_channels, channels_3x3, 3, padding=1, norm_cfg=norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate both branches."""
        return torch.cat((self.branch_1x1(x), self.branch_3x3(x)), dim=1)


@MODELS.register_module()
class CountCeption(BaseModule):
    """Layers 1 to 11 of the network of Count-ception (Cohen et al. 2017, Fig. 4).

    Symbols: r ``window_size``, s ``stride``. Input (B, in_channels, H + 2r, W + 2r), an image with its halo of r zeros
    on every side, which the data preprocessor adds; output a tuple of one (B, 64, ceil((H + r) / s), ceil((W + r) / s))
    map.

    The published network strides its last layer. Layers 10 to 12 are 1x1, so the stride may as well sit on the second
    large convolution: the cells that remain have the same values, and the costliest layer shrinks by s^2.

    Args:
        in_channels: Channels of the image.
        window_size: r, the receptive window; the two large kernels share it as 14 and 18 share 32.
        stride: s, input pixels between two cells of the output; divides r. No weight depends on it, so that a network
            may be tested at another stride than it was trained at (Table 3): give it to the codec too.
        norm_cfg: ``dict(type='BN')``, or ``dict(type='mmcount.ChannelAffine')`` for what the released code trains.
        norm_eval: Keep batch normalisation at its stored statistics while its scale and shift train. Batch statistics
            of a few crops are not the averages used in testing: trained so, the map looks right and the count drifts.
        **moved: None; names an option of before with its replacement.

    Raises:
        ValueError: ``window_size`` is too small for two large kernels, or ``stride`` does not divide it.

    Example:
        >>> CountCeption()(torch.zeros(1, 3, 64 + 64, 48 + 64))[0].shape
        torch.Size([1, 64, 96, 80])
    """

    out_channels = 64

    def __init__(
        self,
        in_channels: int = 3,
        window_size: int = 32,
        stride: int = 1,
        norm_cfg: dict | None = dict(type='BN', eps=1e-4),
        norm_eval: bool = False,
        **moved: Any,
    ) -> None:
        super().__init__()
        refuse_moved('CountCeption', moved, dict(padding='images come with the halo of the codec'))
        if window_size < 4:
            raise ValueError(f'window_size must be at least 4, got {window_size}')
        if stride < 1 or window_size % stride:
            raise ValueError(
                f'stride must divide window_size: every object is in (window_size / stride)^2 windows, got stride '
                f'{stride} and window_size {window_size}'
            )
        self.window_size = window_size
        self.norm_eval = norm_eval
        first_kernel = round(window_size * 14 / 32)
        kwargs = dict(norm_cfg=norm_cfg)
        large = dict(conv_cfg=dict(type=SpaceToDepthConv2d), **kwargs)
        self.conv1 = ConvUnit(in_channels, 64, 3, **kwargs)
        self.unit2 = InceptionUnit(64, 16, 16, **kwargs)
        self.unit3 = InceptionUnit(32, 16, 32, **kwargs)
        self.conv4 = ConvUnit(48, 16, first_kernel, **kwargs)
        self.unit5 = InceptionUnit(16, 112, 48, **kwargs)
        self.unit6 = InceptionUnit(160, 64, 32, **kwargs)
        self.unit7 = InceptionUnit(96, 40, 40, **kwargs)
        self.unit8 = InceptionUnit(80, 32, 96, **kwargs)
        self.conv9 = ConvUnit(128, 32, window_size - first_kernel, stride=stride, **large)
        self.conv10 = ConvUnit(32, 64, 1, **kwargs)
        self.conv11 = ConvUnit(64, 64, 1, **kwargs)

    @property
    def layers(self) -> list[nn.Module]:
        """Layers 1 to 11 in order."""
        units = [self.unit5, self.unit6, self.unit7, self.unit8]
        return [self.conv1, self.unit2, self.unit3, self.conv4, *units, self.conv9, self.conv10, self.conv11]

    @property
    def context(self) -> tuple[int, int]:
        """``(shrink, ring)``: what exact tiles need to know.

        The map at stride 1 has ``shrink`` rows less than the input, and ``ring`` of its cells at every edge depend on
        the zeros that layers pad with.
        """
        shrink = ring = 0
        for layer in self.layers:
            convs = [module for module in layer.modules() if isinstance(module, nn.Conv2d)]
            # Branches side by side keep the size of their input, so that they can be concatenated.
            widest = max(convs, key=lambda conv: conv.kernel_size[0])
            shrink += widest.kernel_size[0] - 1 - 2 * widest.padding[0]
            ring += widest.padding[0]
        return shrink, ring

    @property
    def stride(self) -> int:
        """Input pixels between two cells of the output."""
        return self.conv9.conv.stride[0]

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """(B, in_channels, H, W) -> ((B, 64, h, w),)."""
        for layer in self.layers:
            x = layer(x)
        return (x,)

    def train(self, mode: bool = True) -> 'CountCeption':
        """Train or evaluate; ``norm_eval`` keeps normalisation at its stored statistics."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self
