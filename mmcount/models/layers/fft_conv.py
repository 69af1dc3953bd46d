"""Convolutions with large kernels through the frequency domain, for inference."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmcount.registry import MODELS

#: Tiles that are transformed at once: enough rows to keep the matrix products busy, few enough to bound the memory.
TILES_AT_ONCE = 128
#: One multiplication of the frequency path takes as long as this many of a direct convolution: its matrices are smaller
#: and its data move more. Measured 2.2 (14 x 14) and 2.6 (18 x 18) on one Zen 4 core.
FREQUENCY_OVERHEAD = 2.5
#: A transform of the weights takes ``4 n^2 C D`` numbers; longer transforms save little and cost much memory.
MAX_TRANSFORM = 64


@lru_cache(maxsize=32)
def odd_dft_matrix(length: int) -> Tensor:
    """The real transform at the odd frequencies ``2 pi (k + 1/2) / length``.

    The product of two such spectra is a circular convolution whose wrapped part changes its sign. Overlap-save throws
    that part away, and unlike the usual frequencies these come in conjugate pairs without exception.

    Args:
        length: n, even.

    Returns:
        (n, n) float64, row ``2 k`` the cosine and row ``2 k + 1`` the sine of frequency k. Its transpose times
        ``2 / n`` is its inverse.

    Example:
        >>> matrix = odd_dft_matrix(6)
        >>> torch.allclose(matrix.T @ matrix, 3 * torch.eye(6, dtype=torch.float64))
        True
    """
    frequencies = torch.arange(length // 2, dtype=torch.float64) + 0.5
    angles = frequencies[:, None] * torch.arange(length, dtype=torch.float64) * (2 * math.pi / length)
    return torch.stack((angles.cos(), angles.sin()), dim=1).reshape(length, length)


def weight_spectrum(weight: Tensor, length: int) -> Tensor:
    """The matrices that multiply the spectra of the channels, one per pair of frequencies.

    Args:
        weight: (D, C, k, k).
        length: n, even, at least k.

    Returns:
        (n^2 / 4, 4 D, 4 C) float32; frequencies in the order (column, row), the four parts (cosine or sine of rows,
        cosine or sine of columns) before the channels.
    """
    half = length // 2
    rows = odd_dft_matrix(length)[:, : weight.shape[2]].to(weight.device)
    columns = odd_dft_matrix(length)[:, : weight.shape[3]].to(weight.device)
    spectrum = torch.einsum('dcij,ai,bj->badc', weight.double(), rows, columns)
    spectrum = spectrum.reshape(half, 2, half, 2, *weight.shape[:2])
    # y = x * conj(w) on (cosine, sine) pairs: the cosine of w keeps a pair, its sine rotates it by a quarter turn.
    turns = torch.tensor([[[1, 0], [0, 1]], [[0, 1], [-1, 0]]], dtype=torch.float64, device=weight.device)
    matrices = torch.einsum('bvaudc,upr,vqs->bapqdrsc', spectrum, turns, turns)
    return matrices.reshape(half * half, 4 * weight.shape[0], 4 * weight.shape[1]).float().contiguous()


def overlap_save(x: Tensor, spectrum: Tensor, kernel: int, shape: tuple[int, int], out: Tensor) -> None:
    """Stride-1 correlation of one image with a kernel that is given by its spectrum.

    The transforms are products with a small matrix rather than fast ones: at the lengths in question they run at the
    speed of the machine's matrix product and leave their result in the layout that the next product reads, so no data
    are ever reordered.

    Symbols: n length of the transform, m = n - kernel + 1 the outputs per tile side, (I, J) tiles, T = I * J.

    Args:
        x: ((I - 1) * m + n, (J - 1) * m + n, C) float32, contiguous.
        spectrum: Of :func:`weight_spectrum`.
        kernel: k.
        shape: (I, J).
        out: (I * m, J * m, D) float32, contiguous; filled.
    """
    half = math.isqrt(spectrum.shape[0])
    length, channels, out_channels = 2 * half, x.shape[2], spectrum.shape[1] // 4
    step = length - kernel + 1
    dft = odd_dft_matrix(length).to(x)
    inverse = (dft[:, :step].T * (2 / length)).contiguous()
    inverse_columns = torch.cat((inverse[:, 0::2], inverse[:, 1::2]), dim=1)
    group = max(1, TILES_AT_ONCE // shape[1])
    for first in range(0, shape[0], group):
        last = min(first + group, shape[0])
        tiles = (last - first) * shape[1]
        rows = x[first * step : (last - 1) * step + length]
        # Columns to frequencies: (J, rows, n, C).
        partial = x.new_empty(shape[1], len(rows), length, channels)
        for j in range(shape[1]):
            window = rows[:, j * step : j * step + length]
            torch.bmm(dft.expand(len(rows), length, length), window, out=partial[j])
        # Rows to frequencies: (T, column frequency, row frequency, 4 C).
        data = x.new_empty(tiles, half, length, 2 * channels)
        for t in range(tiles):
            i, j = divmod(t, shape[1])
            window = partial[j, i * step : i * step + length].view(length, half, 2 * channels).transpose(0, 1)
            torch.bmm(dft.expand(half, length, length), window, out=data[t])
        product = torch.bmm(spectrum, data.view(tiles, half * half, 4 * channels).permute(1, 2, 0))
        # Back: row frequencies to rows, then (cosines, sines) of column frequencies to columns.
        product = product.view(half, length, 2, out_channels * tiles)
        partial = x.new_empty(2, half, step, out_channels * tiles)
        for part in range(2):
            torch.bmm(inverse.expand(half, step, length), product[:, :, part], out=partial[part])
        result = torch.mm(inverse_columns, partial.view(length, step * out_channels * tiles))
        result = result.view(step, step, out_channels, last - first, shape[1])
        target = out[first * step : last * step].view(last - first, step, shape[1], step, out_channels)
        target.copy_(result.permute(3, 1, 4, 0, 2))


def frequency_cost(out_shape: tuple[int, int], kernel: int, channels: int, out_channels: int, length: int) -> float:
    """Multiplications of :func:`overlap_save` for one image, in those of a direct convolution.

    Args:
        out_shape: (height, width) of the stride-1 output.
        kernel: k.
        channels: C.
        out_channels: D.
        length: n.
    """
    step = length - kernel + 1
    rows, columns = -(-out_shape[0] // step), -(-out_shape[1] // step)
    tiles = rows * columns
    forward = (rows * step + kernel - 1) * columns * length**2 * channels + tiles * length**3 * channels
    product = tiles * 4 * length**2 * channels * out_channels
    backward = tiles * step * length * (length + step) * out_channels
    return FREQUENCY_OVERHEAD * (forward + product + backward)


def best_transform_length(kernel: int, channels: int, out_channels: int, out_shape: tuple[int, int]) -> int:
    """The even transform length of the least :func:`frequency_cost`, at most ``MAX_TRANSFORM`` or twice the kernel.

    Example:
        >>> best_transform_length(18, 128, 32, (288, 288)) % 2
        0
    """
    lengths = range(kernel + 2 + kernel % 2, max(MAX_TRANSFORM, 2 * kernel) + 1, 2)
    return min(lengths, key=lambda length: frequency_cost(out_shape, kernel, channels, out_channels, length))


@MODELS.register_module()
class FFTConv2d(nn.Conv2d):
    """``nn.Conv2d`` that multiplies spectra where that is cheaper than multiplying pixels.

    Overlap-save with transforms by matrix product: see :func:`overlap_save`. Same parameters and the same values up to
    rounding (about 4e-7 of the output's scale). Inference in float32 on any input type; with gradients, and where a
    stride, a small kernel, groups or dilation make the direct way cheaper or the only one, it is a plain convolution.
    The spectrum of the weights, ``16 n^2 C D`` bytes, is computed at first use and again when the weights change.

    Args:
        length: n, the length of the transforms; None chooses it for ``typical_shape``.
        typical_shape: (height, width) of the output that the length is chosen for.

    Example:
        >>> conv = FFTConv2d(8, 4, 18).eval()
        >>> with torch.no_grad():
        ...     conv(torch.zeros(1, 8, 90, 80)).shape
        torch.Size([1, 4, 73, 63])
    """

    def __init__(self, *args, length: int | None = None, typical_shape: tuple[int, int] = (288, 288), **kwargs) -> None:
        super().__init__(*args, **kwargs)
        kernel = self.kernel_size[0]
        if length is None:
            length = best_transform_length(kernel, self.in_channels, self.out_channels, typical_shape)
        if length % 2 or length <= kernel:
            raise ValueError(f'length must be even and larger than the kernel {kernel}, got {length}')
        self.length = length
        self._spectrum: tuple[tuple, Tensor] | None = None

    @classmethod
    def from_conv(cls, conv: nn.Conv2d, length: int | None = None) -> 'FFTConv2d':
        """The same convolution with its own copy of nothing: the parameters are shared."""
        new = cls(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
            conv.bias is not None,
            conv.padding_mode,
            length=length,
            device='meta',
        )
        new.weight, new.bias = conv.weight, conv.bias
        return new.train(conv.training)

    @property
    def is_supported(self) -> bool:
        """Whether the frequency path can compute this convolution at all."""
        square = self.kernel_size[0] == self.kernel_size[1] and self.stride[0] == self.stride[1]
        plain = self.groups == 1 and self.dilation == (1, 1) and self.padding_mode == 'zeros'
        return square and plain and not isinstance(self.padding, str)

    def prefers_frequencies(self, height: int, width: int) -> bool:
        """Whether the frequency path is cheaper for an input of this size."""
        if not self.is_supported:
            return False
        kernel, stride = self.kernel_size[0], self.stride[0]
        shape = height + 2 * self.padding[0] - kernel + 1, width + 2 * self.padding[1] - kernel + 1
        if min(shape) < 1:
            return False
        channels = self.in_channels, self.out_channels
        direct = -(-shape[0] // stride) * -(-shape[1] // stride) * kernel**2 * channels[0] * channels[1]
        return frequency_cost(shape, kernel, *channels, self.length) < direct

    def spectrum(self) -> Tensor:
        """The cached spectrum of the weights."""
        # Tensors made in inference mode do not count their changes.
        version = None if self.weight.is_inference() else self.weight._version
        key = (self.weight.data_ptr(), version, self.weight.device, self.length)
        if self._spectrum is None or self._spectrum[0] != key:
            self._spectrum = key, weight_spectrum(self.weight.detach(), self.length)
        return self._spectrum[1]

    def __deepcopy__(self, memo: dict) -> 'FFTConv2d':
        """Copy without the cache."""
        new = FFTConv2d.from_conv(self, self.length)
        memo[id(self)] = new
        new.weight = nn.Parameter(self.weight.detach().clone(), self.weight.requires_grad)
        new.bias = None if self.bias is None else nn.Parameter(self.bias.detach().clone(), self.bias.requires_grad)
        return new

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D, h, w) of the type of ``x``, in channels-last memory on the frequency path."""
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            return super().forward(x)
        if not self.prefers_frequencies(*x.shape[2:]):
            return self._direct(x)
        with torch.autocast(x.device.type, enabled=False):
            return self._overlap_save(x)

    def _direct(self, x: Tensor) -> Tensor:
        # oneDNN has no fast float32 kernel for large windows with channels last, and no fast bfloat16 one without.
        memory_format = torch.contiguous_format if x.dtype == torch.float32 else torch.channels_last
        weight = self.weight.to(dtype=x.dtype, memory_format=memory_format)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return self._conv_forward(x.contiguous(memory_format=memory_format), weight, bias)

    def _overlap_save(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        step = self.length - kernel + 1
        height, width = x.shape[2] + 2 * self.padding[0], x.shape[3] + 2 * self.padding[1]
        shape = height - kernel + 1, width - kernel + 1
        tiles = -(-shape[0] // step), -(-shape[1] // step)
        out = x.new_empty(len(x), tiles[0] * step, tiles[1] * step, self.out_channels, dtype=torch.float32)
        # One pass lays out the channels last, completes the last tiles with zeros and converts to float32.
        top, left = self.padding
        bottom, right = tiles[0] * step + kernel - 1 - top, tiles[1] * step + kernel - 1 - left
        pad = (0, 0, left, right - x.shape[3], top, bottom - x.shape[2])
        spectrum = self.spectrum()
        for image, result in zip(x.permute(0, 2, 3, 1), out, strict=True):
            overlap_save(F.pad(image.float(), pad).contiguous(), spectrum, kernel, tiles, result)
        out = out[:, : shape[0] : stride, : shape[1] : stride]
        if self.bias is not None:
            out = out + self.bias.float()
        return out.to(x.dtype).permute(0, 3, 1, 2)
