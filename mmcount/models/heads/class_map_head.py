"""Class scores as the mean of class maps."""

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcount.registry import MODELS


@MODELS.register_module()
class ClassMapHead(BaseModule):
    """1 x 1 convolutions to a map of every class, whose mean is its score (network in network, Lin et al. 2014).

    Args:
        num_classes: K.
        in_channels: Of the last feature map.
        hidden_channels: Of a 1 x 1 convolution with ReLU before the class maps; 0 for none.
        init_cfg: Initialisation.

    Shape:
        feats: the last is (B, in_channels, h, w).
        returns: (B, K) scores.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        hidden_channels: int = 0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.hidden = ConvModule(in_channels, hidden_channels, 1) if hidden_channels else nn.Identity()
        self.class_maps = nn.Conv2d(hidden_channels or in_channels, num_classes, 1)

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Features to class scores."""
        maps: Tensor = self.class_maps(self.hidden(feats[-1]))
        return maps.mean(dim=(2, 3))
