"""A few convolutions with pooling between them."""

import itertools
from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcount.registry import MODELS


@MODELS.register_module()
class PlainConvNet(BaseModule):
    """Convolutions of one size, each after the first behind a pooling: the classifier of MNIST-LEGO.

    The Point-and-Count paper names four layers of 5 x 5 with 32 up to 256 filters; widths in between are ours.

    Args:
        channels: Filters of each layer.
        kernel_size: Of all layers; padding keeps the size.
        in_channels: Of the image.
        norm_cfg: Normalisation, or None.
        init_cfg: Initialisation.

    Shape:
        inputs: (B, in_channels, H, W).
        returns: one (B, C_i, H / 2^i, W / 2^i) per layer, after its ReLU.

    Example:
        >>> import torch
        >>> [tuple(one.shape) for one in PlainConvNet((4, 8))(torch.zeros(1, 3, 16, 16))]
        [(1, 4, 16, 16), (1, 8, 8, 8)]
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128, 256),
        kernel_size: int = 5,
        in_channels: int = 3,
        norm_cfg: dict | None = dict(type='BN'),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f'kernel_size must be odd, got {kernel_size}')
        widths = (in_channels, *channels)
        self.layers = nn.ModuleList(
            ConvModule(before, after, kernel_size, padding=kernel_size // 2, norm_cfg=norm_cfg)
            for before, after in itertools.pairwise(widths)
        )
        self.pool = nn.MaxPool2d(2)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The output of every layer."""
        outputs: list[Tensor] = []
        for layer in self.layers:
            outputs.append(layer(self.pool(outputs[-1]) if outputs else inputs))
        return tuple(outputs)
