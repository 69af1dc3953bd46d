"""A count head that reads nothing but the feature of a box, so that it fits any detector."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcount.codecs import BoxAttributeCodec
from mmcount.registry import MODELS

from .count_output import build_codec, build_loss, output_init, stage_loss


@MODELS.register_module()
class RoICountHead(BaseModule):
    """Two shared fully connected layers and one output per stage of the codec, all on the feature of one box.

    With a codec of several stages the coarse bins are predicted beside the exact count: the supervision of CLCNet
    (Cai et al., "Rethinking Object Detection in Retail Stores", AAAI 2021, Sec. 4) without its cascade of boxes. The
    loss of each stage is the mean over the boxes. Under automatic mixed precision the head computes in the precision of
    its weights.

    Args:
        codec: :class:`mmcount.codecs.BoxAttributeCodec` or its config: of counts, or of another attribute.
        in_channels: C, channels of the feature.
        roi_feat_size: S, side of the feature in cells.
        fc_out_channels: Width of the fully connected layers.
        num_fcs: Their number.
        loss: Config of the loss; None takes cross-entropy of weight 0.1 for bins and smooth L1 of weight 1e-4 for
            numbers, as the paper does.
        coarse_weight: Factor of the losses of all stages but the last.
        fuse: Read the count from the outputs of all stages (``codec.fuse``) instead of the last one's.
        init_cfg: Initialisation; None is that of mmdet's box heads, and small weights of the outputs.

    Raises:
        ValueError: ``num_fcs`` is below 1.

    Example:
        >>> codec = dict(type='mmcount.DigitCodec', max_count=56, base=2, num_stages=3)
        >>> head = RoICountHead(codec, in_channels=8)
        >>> [tuple(output.shape) for output in head(torch.zeros(5, 8, 7, 7))]
        [(5, 4), (5, 16), (5, 64)]
    """

    def __init__(
        self,
        codec: BoxAttributeCodec | Mapping[str, Any],
        in_channels: int = 256,
        roi_feat_size: int = 7,
        fc_out_channels: int = 1024,
        num_fcs: int = 2,
        loss: Mapping[str, Any] | None = None,
        coarse_weight: float = 1.0,
        fuse: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if num_fcs < 1:
            raise ValueError(f'num_fcs must be at least 1, got {num_fcs}')
        codec = build_codec(codec)
        if init_cfg is None:
            init_cfg = [
                dict(type='Xavier', distribution='uniform', override=dict(name='fcs')),
                output_init(codec, 'outputs'),
            ]
        super().__init__(init_cfg=init_cfg)
        self.codec = codec
        self.coarse_weight = coarse_weight
        self.fuse = fuse
        widths = [in_channels * roi_feat_size**2, *[fc_out_channels] * num_fcs]
        self.fcs = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.outputs = nn.ModuleList(
            nn.Linear(fc_out_channels, codec.channels(stage)) for stage in range(codec.num_stages)
        )
        self.loss_module = build_loss(codec, loss)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, C, S, S) features of N boxes -> one (N, channels) output per stage, coarse to fine."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.fcs[0].weight.dtype).flatten(1)
            for fc in self.fcs:
                x = fc(x).relu()
            return [output(x) for output in self.outputs]

    def loss(self, x: Tensor, values: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """The losses of N boxes; zero, with a gradient of zero, where there are none.

        Args:
            x: (N, C, S, S) features.
            values: (N,) true counts.
            weights: (N,) float, 0 for a value that teaches nothing; None weighs all alike.

        Returns:
            ``loss`` of the last stage and ``loss_stage{k}`` of the others, scalars; ``error``, the mean absolute error
            of the decoded counts.
        """
        outputs = self(x)
        weights = outputs[0].new_ones(len(values)) if weights is None else weights
        targets = self.codec.encode(values).unbind(dim=1)
        terms = [
            stage_loss(self.loss_module, self.codec, output, target, weights)
            for output, target in zip(outputs, targets, strict=True)
        ]
        losses = {f'loss_stage{stage}': loss * self.coarse_weight for stage, loss in enumerate(terms[:-1])}
        with torch.no_grad():
            errors = (self.decode(outputs)[0] - values).abs() * weights
            error = errors.sum() / weights.sum().clamp(min=1)
        return {**losses, 'loss': terms[-1], 'error': error}

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, S, S) features -> (N,) counts and (N,) scores."""
        return self.decode(self(x))

    def decode(self, outputs: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Outputs of :meth:`forward` -> (N,) counts and (N,) scores."""
        return self.codec.decode(self.codec.fuse(outputs) if self.fuse else outputs[-1])
