"""Convolution, normalisation, leaky ReLU: the unit that Count-ception is made of."""

from mmcv.cnn import ConvModule
from mmengine.model import xavier_init

from mmcount.registry import MODELS


@MODELS.register_module()
class ConvUnit(ConvModule):
    """mmcv's ``ConvModule`` with the published activation and initialisation.

    Weights are Glorot uniform with the gain of ReLU, the fan counted over the kernel area (``ConvModule`` would draw
    from a normal distribution of its own, whatever ``init_cfg`` says).

    Args:
        act_cfg: Activation; leaky ReLU with a slope of 0.01 as published, or None.
        **kwargs: As in ``ConvModule``.
    """

    def __init__(
        self,
        *args,
        act_cfg: dict | None = dict(type='LeakyReLU', negative_slope=0.01),
        **kwargs,
    ) -> None:
        super().__init__(*args, act_cfg=act_cfg, **kwargs)

    def init_weights(self) -> None:
        """Glorot uniform with gain sqrt(2); the bias at 0."""
        xavier_init(self.conv, gain=2**0.5, distribution='uniform')
