"""A trained model, rewritten for inference only."""

import copy

import torch
from torch import Tensor, nn

from mmcount.models.layers.fft_conv import FFTConv2d
from mmcount.models.layers.fold_norm import fold_norms

#: Kernels from this size on may be worth the frequency domain; the layer itself decides for each input.
MIN_FFT_KERNEL = 7


class CastInput:
    """Hook: images to one type, channels last in memory.

    Args:
        dtype: Of the network.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        """(B, C, H, W) of any type to the network's."""
        return (args[0].to(dtype=self.dtype, memory_format=torch.channels_last), *args[1:])


class CastOutput:
    """Hook: features to float32 in the usual order of memory, so that heads, counts and codecs never see another.

    RoIAlign reads the memory of its input as it lies, whatever its strides are.
    """

    def __call__(self, module: nn.Module, args: tuple, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Every feature map to contiguous float32."""
        return tuple(one.float().contiguous() for one in output)


def use_fft_convs(model: nn.Module) -> int:
    """Replace every convolution with a large kernel by :class:`FFTConv2d`, in place.

    Returns:
        Number of layers replaced.
    """
    replaced = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if not isinstance(child, nn.Conv2d) or isinstance(child, FFTConv2d):
                continue
            if min(child.kernel_size) < MIN_FFT_KERNEL:
                continue
            new = FFTConv2d.from_conv(child)
            if new.is_supported:
                setattr(module, name, new)
                replaced += 1
    return replaced


def prepare_inference(model: nn.Module, precision: str = 'fp32', fold: bool = True, fft: bool = True) -> nn.Module:
    """A copy of a counter that computes the same faster, and can no longer be trained.

    Normalisation becomes part of the convolutions, large kernels go through the frequency domain, memory is laid out
    with channels last. ``'bf16'`` computes the features in bfloat16 and the large kernels and the head in float32: on
    an untrained network cells then moved by up to 6 % of the largest and the count by 0.4 %, half of what autocast
    does. Its weights are converted once, which autocast would do at every call.

    Args:
        model: With ``backbone``, optional ``neck``, and head; left as it is.
        precision: ``'fp32'`` or ``'bf16'``.
        fold: Fold the normalisation.
        fft: Use :class:`FFTConv2d` for kernels of at least 7 x 7.

    Returns:
        A model of the same class in evaluation mode, whose parameters need no gradient.

    Raises:
        ValueError: ``precision`` is neither of both.
        TypeError: the model has no backbone.
    """
    if precision not in ('fp32', 'bf16'):
        raise ValueError(f"precision must be 'fp32' or 'bf16', got {precision!r}")
    if not isinstance(getattr(model, 'backbone', None), nn.Module):
        raise TypeError(f'expected a model with a backbone, got {type(model).__name__}')
    model = copy.deepcopy(model).eval().requires_grad_(False)
    if fold:
        fold_norms(model)
    if fft:
        use_fft_convs(model)
    body = [model.backbone] if getattr(model, 'neck', None) is None else [model.backbone, model.neck]
    dtype = torch.bfloat16 if precision == 'bf16' else torch.float32
    for part in body:
        convert(part, dtype)
    body[0].register_forward_pre_hook(CastInput(dtype))
    body[-1].register_forward_hook(CastOutput())
    return model


def convert(module: nn.Module, dtype: torch.dtype) -> None:
    """Parameters and buffers to one type and channels last, in place; those of :class:`FFTConv2d` stay as they are."""
    kept = {id(one) for layer in module.modules() if isinstance(layer, FFTConv2d) for one in layer.parameters()}
    for one in [*module.parameters(), *module.buffers()]:
        if id(one) in kept or not one.is_floating_point():
            continue
        memory_format = torch.channels_last if one.dim() == 4 else torch.preserve_format
        one.data = one.data.to(dtype=dtype, memory_format=memory_format)
