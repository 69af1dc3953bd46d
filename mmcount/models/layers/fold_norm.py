"""Normalisation folded into the convolution before it, for inference."""

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .channel_affine import ChannelAffine


def norm_scale_shift(norm: nn.Module) -> tuple[Tensor, Tensor] | None:
    """The ``scale`` and ``shift`` per channel that a normalisation applies in inference, float64.

    Args:
        norm: Batch normalisation with stored statistics, or :class:`ChannelAffine`.

    Returns:
        (D,) and (D,), or None for a normalisation that depends on its input.
    """
    if isinstance(norm, ChannelAffine):
        return norm.weight.detach().double(), norm.bias.detach().double()
    if not isinstance(norm, _BatchNorm) or norm.running_mean is None or norm.running_var is None:
        return None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    if norm.bias is not None:
        shift = shift + norm.bias.detach().double()
    return scale, shift


def fold_conv_module(module: ConvModule) -> bool:
    """Fold the normalisation of one ``ConvModule`` into its convolution, in place.

    Returns:
        Whether there was one that could be folded: batch normalisation or :class:`ChannelAffine`, right after a
        convolution without spectral normalisation.
    """
    order = list(module.order)
    if not module.with_norm or module.with_spectral_norm or order.index('norm') != order.index('conv') + 1:
        return False
    factors = norm_scale_shift(module.norm)
    if factors is None or not isinstance(module.conv, nn.Conv2d):
        return False
    scale, shift = factors
    conv = module.conv
    if conv.bias is not None:
        shift = shift + scale * conv.bias.detach().double()
    weight = conv.weight.detach().double() * scale[:, None, None, None]
    conv.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)
    conv.bias = nn.Parameter(shift.to(conv.weight.dtype), requires_grad=False)
    delattr(module, module.norm_name)
    module.with_norm = False
    module.norm_name = None
    return True


@torch.no_grad()
def fold_norms(model: nn.Module) -> int:
    """Fold the normalisation of every ``ConvModule`` of a model, in place; activations stay.

    Args:
        model: In evaluation mode, as the stored statistics become part of the weights.

    Returns:
        Number of layers folded.

    Raises:
        ValueError: the model is in training mode.

    Example:
        >>> module = ConvModule(3, 4, 3, norm_cfg=dict(type='BN')).eval()
        >>> fold_norms(module), module.with_norm, module.conv.bias.shape
        (1, False, torch.Size([4]))
    """
    if model.training:
        raise ValueError('the stored statistics hold in evaluation only: call model.eval() before folding')
    return sum(fold_conv_module(module) for module in model.modules() if isinstance(module, ConvModule))
