"""Codec, initial outputs and loss of one stage of a count head."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmcount.codecs import BoxAttributeCodec
from mmcount.registry import CODECS, MODELS


def build_codec(codec: BoxAttributeCodec | Mapping[str, Any], num_stages: int | None = None) -> BoxAttributeCodec:
    """The codec of a head.

    Args:
        codec: A codec, or its config, which need not say the number of stages where ``num_stages`` does.
        num_stages: Stages of the RoI head; None takes what the codec says.

    Raises:
        ValueError: The codec has another number of stages.
    """
    built: BoxAttributeCodec
    if isinstance(codec, Mapping):
        stages = {} if num_stages is None else {'num_stages': num_stages}
        built = CODECS.build({**stages, **codec, '_scope_': 'mmcount'})
    else:
        built = codec
    if num_stages is not None and built.num_stages != num_stages:
        raise ValueError(f'the codec has {built.num_stages} stages, the RoI head {num_stages}')
    return built


def build_loss(codec: BoxAttributeCodec, loss: Mapping[str, Any] | None = None) -> nn.Module:
    """The loss of one stage: from its config, or that of the paper of CLCNet.

    The latter is cross-entropy of weight 0.1 for bins, and smooth L1 of weight 1e-4 for numbers.
    """
    if loss is None:
        loss = (
            dict(type='mmdet.CrossEntropyLoss', loss_weight=0.1)
            if codec.is_classification
            else dict(type='mmdet.SmoothL1Loss', beta=1.0, loss_weight=1e-4)
        )
    return MODELS.build(dict(loss))


def output_init(codec: BoxAttributeCodec, name: str) -> dict[str, Any]:
    """Initialisation of the output layers called ``name``: normal, of 0.01 for bins and 0.001 for numbers."""
    return dict(type='Normal', std=0.01 if codec.is_classification else 0.001, override=dict(name=name))


def stage_loss(loss: nn.Module, codec: BoxAttributeCodec, output: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean of the loss of one stage.

    Args:
        loss: From :func:`build_loss`.
        codec: Says whether the stage scores bins or estimates numbers.
        output: (N, channels) of the stage.
        target: (N,) column of ``codec.encode`` for the stage.
        weights: (N,) float; a sum below 1 divides by 1.

    Returns:
        Scalar; zero, with a gradient of zero, where N is 0.
    """
    if not len(target):
        return output.sum() * 0
    output = output if codec.is_classification else output.squeeze(-1)
    return loss(output, target, weights, avg_factor=weights.sum().clamp(min=1))
