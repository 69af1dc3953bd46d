"""VGG with the names of torchvision's weights."""

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.cnn import VGG as PlainVGG
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcount.registry import MODELS


@MODELS.register_module()
class VGG(PlainVGG, BaseModule):
    """MMCV's VGG as a module of MMEngine: it takes an ``init_cfg``, and torchvision's checkpoints fit as they are.

    With ``num_classes`` its last output are class scores. Layers are called ``features.<n>`` and ``classifier.<n>``:
    in VGG16, 28 and 29 are the last convolution and its ReLU, 26 and 27 those before; in VGG19, 34 and 35.

    A feature pyramid reads the stages unpooled: with ``pooled=False`` stage i (from 0) has stride 2^i and 64, 128,
    256, 512 and 512 channels, so stages 2 to 4 of VGG16 are conv3_3, conv4_3 and conv5_3, and the last pool is dropped
    unless classes need it.

    Args:
        depth: 11, 13, 16 or 19.
        with_bn: Batch normalisation after every convolution.
        num_classes: Of the fully connected part; none by default.
        out_indices: Stages whose output is returned.
        pooled: Return them after their pooling, at half the resolution, or before.
        init_cfg: Initialisation, such as ``dict(type='Pretrained', checkpoint='torchvision://vgg16_bn')``.
        **kwargs: As :class:`mmcv.cnn.VGG`; its ``bn_eval=True`` keeps batch normalisation at its stored statistics.

    Shape:
        inputs: (B, 3, H, W); with ``num_classes`` 224 x 224.
        returns: tuple of (B, C_i, h_i, w_i), then (B, num_classes).

    Example:
        >>> [tuple(feat.shape) for feat in VGG(11, out_indices=(2, 3, 4), pooled=False)(torch.zeros(1, 3, 32, 48))]
        [(1, 256, 8, 12), (1, 512, 4, 6), (1, 512, 2, 3)]
    """

    def __init__(
        self,
        depth: int,
        with_bn: bool = False,
        num_classes: int = -1,
        out_indices: Sequence[int] = (4,),
        pooled: bool = True,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if not pooled and num_classes <= 0:
            kwargs = dict(with_last_pool=False, **kwargs)
        super().__init__(depth, with_bn=with_bn, num_classes=num_classes, out_indices=tuple(out_indices), **kwargs)
        self.pooled = pooled
        # MMCV's constructor does not pass it on.
        self.init_cfg = init_cfg

    def init_weights(self, pretrained: str | None = None) -> None:
        """Initialise as ``init_cfg`` says."""
        BaseModule.init_weights(self)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the chosen stages, finest first, and class scores where there are classes."""
        outputs = []
        for stage, (start, end) in enumerate(self.range_sub_modules):
            for layer in self.features[start:end]:
                if stage in self.out_indices and not self.pooled and isinstance(layer, nn.MaxPool2d):
                    outputs.append(x)
                x = layer(x)
            if stage in self.out_indices and (self.pooled or not isinstance(layer, nn.MaxPool2d)):
                outputs.append(x)
        if self.num_classes > 0:
            outputs.append(self.classifier(torch.flatten(x, 1)))
        return tuple(outputs)

    def train(self, mode: bool = True) -> 'VGG':
        """Train or evaluate; MMCV's class returns nothing."""
        super().train(mode)
        return self
