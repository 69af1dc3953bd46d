"""A strided convolution with a large kernel whose backward is as fast as its forward."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmcount.registry import MODELS


def space_to_depth_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """``conv2d(x, weight, bias, stride)`` without padding, as a convolution of stride 1.

    Every ``stride`` x ``stride`` block of pixels becomes one pixel with as many times the channels, and the kernel
    likewise; the sums are the same terms. oneDNN's gradient of a strided convolution with a large kernel takes several
    times its forward, that of the dense one does not.

    Args:
        x: (B, C, H, W).
        weight: (D, C, k, k).
        bias: (D,) or None.
        stride: s.

    Returns:
        (B, D, (H - k) // s + 1, (W - k) // s + 1).
    """
    kernel_h, kernel_w = weight.shape[2:]
    height, width = (x.shape[2] - kernel_h) // stride + 1, (x.shape[3] - kernel_w) // stride + 1
    grow_h, grow_w = -kernel_h % stride, -kernel_w % stride
    need_h, need_w = (height - 1) * stride + kernel_h + grow_h, (width - 1) * stride + kernel_w + grow_w
    # Rows beyond the last window are cut off, and the zeros that complete the kernel meet zeros.
    x = F.pad(x, (0, need_w - x.shape[3], 0, need_h - x.shape[2]))
    weight = F.pad(weight, (0, grow_w, 0, grow_h))
    return F.conv2d(F.pixel_unshuffle(x, stride), F.pixel_unshuffle(weight, stride), bias)


@MODELS.register_module()
class SpaceToDepthConv2d(nn.Conv2d):
    """``nn.Conv2d`` whose square stride is taken by :func:`space_to_depth_conv2d` while it trains.

    Same parameters, same values up to rounding; ``stride`` may be set at run time.

    Example:
        >>> import torch
        >>> conv = SpaceToDepthConv2d(3, 4, 18, stride=4)
        >>> conv(torch.zeros(1, 3, 60, 60)).shape
        torch.Size([1, 4, 11, 11])
    """

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, h, w)."""
        stride = self.stride[0]
        if stride == 1 or not self.training or self.stride != (stride, stride) or self.padding != (0, 0):
            return super().forward(x)
        return space_to_depth_conv2d(x, self.weight, self.bias, stride)
