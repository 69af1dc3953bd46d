"""The two functions that a learned threshold needs: its range, and a comparison that has a gradient."""

from typing import Any

import torch
from torch import Tensor


def compressed_sigmoid(x: Tensor, compression: float = 2.0, offset: float = 0.2) -> Tensor:
    """``1 / (compression + exp(-x)) + offset``, with finite gradients wherever ``x`` is finite.

    Eq. 9 of Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020. With the defaults it rises
    from 0.2 to 0.7 and is 1/3 + 0.2 at 0. As written it overflows for very negative ``x``, where its gradient becomes
    NaN; by the sigmoid s of ``x`` it is ``s / (1 + (compression - 1) s) + offset``, which does not.

    Args:
        x: Any shape; half types are computed in float32.
        compression: The range is 1 / compression wide.
        offset: Its lower end.

    Returns:
        Of the shape of ``x``; float32, or float64 for float64.

    Example:
        >>> compressed_sigmoid(torch.tensor([-1e4, 0.0, 1e4]))
        tensor([0.2000, 0.5333, 0.7000])
    """
    s = torch.sigmoid(x if x.dtype == torch.float64 else x.float())
    return s / (1 + (compression - 1) * s) + offset


class _Binarize(torch.autograd.Function):
    @staticmethod
    def forward(confidence: Tensor, threshold: Tensor, grad_scales: tuple[float, float]) -> Tensor:
        return (confidence >= threshold).to(confidence.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.grad_scales = inputs[2]

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        to_confidence, to_threshold = (
            grad_output * scale if needed and scale else None
            for needed, scale in zip(ctx.needs_input_grad, ctx.grad_scales, strict=False)
        )
        return to_confidence, to_threshold, None


def binarize(confidence: Tensor, threshold: Tensor, grad_scales: tuple[float, float] = (0.2, -1.0)) -> Tensor:
    """``confidence >= threshold`` as 0 and 1, with a gradient of its own: the upstream gradient times two constants.

    Gao et al. 2020, Eq. 3, 6 and 8: for confidences spread evenly over 0..1 the mean of the output is 1 - threshold,
    which gives the -1. The 0.2 is that of the released code; the paper names no number.

    Args:
        confidence: Any shape.
        threshold: Of the same shape, or one that broadcasts to it.
        grad_scales: Factors of the gradient to ``confidence`` and to ``threshold``. At 0 there is none at all, which
            trains the threshold only, or the confidence only.

    Returns:
        Of the shape of ``confidence``, float32 (float64 if both are). The comparison is never made in half precision,
        where ties would change small components.

    Example:
        >>> confidence = torch.tensor([0.3, 0.6], requires_grad=True)
        >>> threshold = torch.tensor([0.5, 0.5], requires_grad=True)
        >>> binary = binarize(confidence, threshold)
        >>> binary.sum().backward()
        >>> binary.tolist(), confidence.grad.tolist(), threshold.grad.tolist()
        ([0.0, 1.0], [0.20000000298023224, 0.20000000298023224], [-1.0, -1.0])
    """
    dtype = torch.promote_types(torch.float32, torch.promote_types(confidence.dtype, threshold.dtype))
    return _Binarize.apply(confidence.to(dtype), threshold.to(dtype).expand_as(confidence), tuple(grad_scales))
