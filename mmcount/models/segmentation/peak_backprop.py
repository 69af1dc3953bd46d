"""Peak back-propagation: which pixels of the image made a peak of a class map?"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

#: Outputs of a convolution that receive less than this hand nothing on.
EPS = 1e-10


def _pair(value: Any) -> list[int]:
    return [int(value)] * 2 if isinstance(value, int) else [int(one) for one in (list(value) * 2)[:2]]


class _PositiveFlow(torch.autograd.Function):
    """A convolution whose backward shares each output's relevance among its inputs, by their positive terms."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = stride, padding, dilation, groups
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Relevance of the inputs; nothing for the weights."""
        x, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        shifted = x - x.amin((1, 2, 3), keepdim=True)
        positive = weight.clamp(min=0)
        flow = F.conv2d(shifted, positive, None, stride, padding, dilation, groups)
        share = torch.where(flow < EPS, torch.zeros_like(flow), 1 / (flow + EPS)) * grads[0]
        back = torch.ops.aten.convolution_backward(
            share, shifted, positive, None, stride, padding, dilation, False, [0, 0], groups, [True, False, False]
        )[0]
        return shifted * back, *[None] * 6


def _positive_conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    dilation = _pair(dilation)
    if padding == 'valid':
        padding = 0
    elif padding == 'same':
        total = [step * (size - 1) for step, size in zip(dilation, weight.shape[2:], strict=True)]
        padding = [one // 2 for one in total]
        if any(one % 2 for one in total):  # as torch does it: one more zero on the right or at the bottom
            input = F.pad(input, (0, total[1] % 2, 0, total[0] % 2))
    return _PositiveFlow.apply(input, weight, bias, _pair(stride), _pair(padding), dilation, groups)


class positive_convolutions(TorchFunctionMode):
    r"""Within the block, every 2-D convolution is recorded with the backward rule of peak response mapping.

    With the input :math:`X`, its minimum :math:`o`, the positive part :math:`K^+` of the weights and the incoming
    gradient :math:`g`,

    .. math:: \hat g = g / (K^+ * (X - o)), \qquad \partial X = (X - o) \odot (K^{+\top} * \hat g)

    (Zhou et al., Weakly Supervised Instance Segmentation using Class Peak Response, CVPR 2018, eq. 3-5). What flows
    into an output flows out to its inputs: the sum is kept. Where no positive term reaches an output, its gradient is
    dropped. Forward values are those of the model.

    Calls of ``conv2d`` are caught wherever they come from, so no module is changed, and backbones, necks and heads of
    any package take part. The minimum is taken over each image of a batch.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> conv = nn.Conv2d(1, 1, 3, padding=1)
        >>> image = torch.rand(1, 1, 5, 5, requires_grad=True)
        >>> with positive_convolutions():
        ...     out = conv(image)
        >>> (grad,) = torch.autograd.grad(out[0, 0, 2, 2], image)
        >>> round(float(grad.sum()), 4)
        1.0
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Replace ``conv2d`` of batched inputs; everything else passes."""
        kwargs = kwargs or {}
        if func is torch.conv2d and (args[0] if args else kwargs['input']).dim() == 4:
            return _positive_conv2d(*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without checkpointed activations within the block; every module is as before afterwards.

    Checkpointing runs a second forward outside of :class:`positive_convolutions`, and refuses gradients of inputs.
    """
    training = [(module, module.training) for module in model.modules()]
    checkpointed = [module for module in model.modules() if getattr(module, 'with_cp', False) is True]
    for module, _ in training:
        module.training = False
    for module in checkpointed:
        module.with_cp = False
    try:
        yield
    finally:
        for module, mode in training:
            module.training = mode
        for module in checkpointed:
            module.with_cp = True


@contextmanager
def recording(device_type: str) -> Iterator[None]:
    """Record gradients in full precision, whatever mode the caller runs in."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device_type, enabled=False):
        yield


def traced_maps(
    forward: Callable[[Tensor], Tensor], image: Tensor, model: nn.Module | None = None
) -> tuple[Tensor, Tensor]:
    """Class maps whose graph follows the rule of :class:`positive_convolutions`.

    Args:
        forward: From images to class maps.
        image: (B, 3, H, W), normalised.
        model: What is put into evaluation mode meanwhile; None where ``forward`` does not depend on it.

    Returns:
        The (B, C, h, w) maps, and the copy of ``image`` that they depend on: hand both to
        :func:`backpropagate_peaks`.
    """
    with recording(image.device.type), evaluating(model if model is not None else nn.Identity()):
        leaf = image.detach().clone().requires_grad_(True)
        with positive_convolutions():
            return forward(leaf), leaf


def backpropagate_peaks(
    maps: Tensor, image: Tensor, peaks: Tensor, max_peaks_per_batch: int = 8, index: int = 0
) -> Tensor:
    """Relevance of the pixels for each peak.

    The peaks of a batch share one graph: only what depends on the peak is computed for each of them.

    Args:
        maps: (B, C, h, w), of :func:`traced_maps`.
        image: (B, 3, H, W), of :func:`traced_maps`.
        peaks: (K, 3) int64, ``(c, y, x)`` in ``maps``.
        max_peaks_per_batch: Peaks that are propagated at once; memory grows with it.
        index: Image of the batch that the peaks are of.

    Returns:
        (K, H, W) sums over the channels of the image, negative values set to 0.

    Raises:
        ValueError: ``max_peaks_per_batch`` is below 1, or a peak is outside of the maps.
    """
    if max_peaks_per_batch < 1:
        raise ValueError(f'max_peaks_per_batch must be at least 1, got {max_peaks_per_batch}')
    peaks = peaks.to(maps.device)
    size = torch.tensor(maps.shape[1:], device=maps.device)
    if peaks.numel() and bool(((peaks < 0) | (peaks >= size)).any()):
        raise ValueError(f'peaks (c, y, x) must lie in maps of {tuple(maps.shape[1:])}, got {peaks.tolist()}')
    if len(peaks) == 0:
        return maps.new_zeros(0, *image.shape[-2:]).detach()
    relevance = []
    for chunk in peaks.split(max_peaks_per_batch):
        grads = maps.new_zeros(len(chunk), *maps.shape)
        grads[torch.arange(len(chunk), device=maps.device), index, chunk[:, 0], chunk[:, 1], chunk[:, 2]] = 1
        pixels = _gradients(maps, image, grads)[:, index]
        relevance.append(pixels.sum(dim=1).clamp(min=0).detach())
    return torch.cat(relevance)


def _gradients(maps: Tensor, image: Tensor, grads: Tensor) -> Tensor:
    """(K, B, 3, H, W) gradients of the image, for (K, B, C, h, w) gradients of the maps."""
    with recording(maps.device.type):
        if len(grads) > 1:
            try:
                return torch.autograd.grad(maps, image, grads, retain_graph=True, is_grads_batched=True)[0]
            except torch.OutOfMemoryError:
                raise
            except RuntimeError:
                pass  # an operator of the model without a batching rule; a real error comes again below
        return torch.stack([torch.autograd.grad(maps, image, one, retain_graph=True)[0] for one in grads])


def normalise_relevance(relevance: Tensor) -> Tensor:
    """(K, H, W) maps that sum to 1 each; a map without any relevance stays 0."""
    total = relevance.sum(dim=(1, 2), keepdim=True)
    return torch.where(total > 0, relevance / total.clamp(min=torch.finfo(relevance.dtype).tiny), 0)


def peak_response_maps(
    forward: Callable[[Tensor], Tensor],
    image: Tensor,
    peaks: Tensor,
    model: nn.Module | None = None,
    max_peaks_per_batch: int = 8,
) -> Tensor:
    """Peak response maps of an image (Zhou et al., CVPR 2018).

    The model is left as it was: weights, buffers, modes and gradients. Callers may run without gradients.

    Args:
        forward: From images to class maps, such as ``counter.response_maps``.
        image: (1, 3, H, W), normalised.
        peaks: (K, 3) int64, ``(c, y, x)`` in the class maps.
        model: What is put into evaluation mode meanwhile.
        max_peaks_per_batch: Peaks that are propagated at once.

    Returns:
        (K, H, W) maps that sum to 1.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))
        >>> maps = peak_response_maps(net, torch.rand(1, 3, 16, 16), torch.tensor([[1, 4, 4]]), net)
        >>> maps.shape, round(float(maps.sum()), 4)
        (torch.Size([1, 16, 16]), 1.0)
    """
    maps, leaf = traced_maps(forward, image, model)
    return normalise_relevance(backpropagate_peaks(maps, leaf, peaks, max_peaks_per_batch))
