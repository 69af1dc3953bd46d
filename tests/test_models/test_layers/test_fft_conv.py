import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mmcount.models.layers.fft_conv import (
    FFTConv2d,
    best_transform_length,
    frequency_cost,
    odd_dft_matrix,
    overlap_save,
    weight_spectrum,
)


def relative_error(value, reference):
    return float((value - reference).abs().max() / reference.abs().max())


@pytest.mark.parametrize('length', [2, 10, 46])
def test_the_transform_is_orthogonal(length):
    matrix = odd_dft_matrix(length)
    assert torch.allclose(matrix @ matrix.T, length / 2 * torch.eye(length, dtype=torch.float64), atol=1e-10)


def test_a_shift_that_wraps_changes_its_sign():
    matrix = odd_dft_matrix(8)
    signal = torch.zeros(8, dtype=torch.float64)
    signal[5] = 1.0
    wrapped = -matrix[:, 1]
    # e^{-i w 9} = -e^{-i w 1} at the odd frequencies of length 8.
    angles = (torch.arange(4, dtype=torch.float64) + 0.5) * 9 * 2 * torch.pi / 8
    assert torch.allclose(wrapped[0::2], angles.cos())
    assert torch.allclose(wrapped[1::2], angles.sin())


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    kernel=st.integers(1, 9),
    extra=st.integers(1, 5),
    channels=st.integers(1, 4),
    out_channels=st.integers(1, 3),
    tiles=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    seed=st.integers(0, 1000),
)
def test_overlap_save_is_the_convolution(kernel, extra, channels, out_channels, tiles, seed):
    length = kernel + extra + (kernel + extra) % 2
    step = length - kernel + 1
    generator = torch.Generator().manual_seed(seed)
    size = [(count - 1) * step + length for count in tiles]
    x = torch.randn(channels, *size, generator=generator)
    weight = torch.randn(out_channels, channels, kernel, kernel, generator=generator)
    out = torch.full((tiles[0] * step, tiles[1] * step, out_channels), float('nan'))
    overlap_save(x.permute(1, 2, 0).contiguous(), weight_spectrum(weight, length), kernel, tiles, out)
    expected = F.conv2d(x[None].double(), weight.double())[0]
    assert torch.allclose(out.permute(2, 0, 1).double(), expected, atol=2e-5)


def test_many_tiles_are_done_in_groups(monkeypatch):
    monkeypatch.setattr('mmcount.models.layers.fft_conv.TILES_AT_ONCE', 4)
    x, weight = torch.randn(2, 34, 26), torch.randn(3, 2, 5, 5)
    out = torch.empty(30, 18 + 6, 3)
    x = F.pad(x, (0, 2))
    overlap_save(x.permute(1, 2, 0).contiguous(), weight_spectrum(weight, 10), 5, (5, 4), out)
    expected = F.conv2d(x[None], weight)[0]
    assert relative_error(out.permute(2, 0, 1), expected) < 1e-5


@pytest.mark.parametrize(('kernel', 'channels', 'out_channels'), [(14, 12, 4), (18, 16, 8)])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_large_kernels_equal_the_direct_convolution(kernel, channels, out_channels, layout):
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, out_channels, kernel)
    fast = FFTConv2d.from_conv(conv)
    x = torch.randn(2, channels, 71, 80).contiguous(memory_format=layout)
    with torch.no_grad():
        assert fast.prefers_frequencies(71, 80)
        out = fast(x)
        expected = F.conv2d(x.double(), conv.weight.double(), conv.bias.double())
    assert out.shape == expected.shape
    assert relative_error(out, expected) < 1e-5


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('padding', [0, 5])
def test_stride_and_padding_on_the_frequency_path(stride, padding, monkeypatch):
    conv = FFTConv2d(4, 6, 11, stride=stride, padding=padding)
    monkeypatch.setattr(FFTConv2d, 'prefers_frequencies', lambda *_: True)
    x = torch.randn(1, 4, 37, 30)
    with torch.no_grad():
        out, expected = conv(x), F.conv2d(x, conv.weight, conv.bias, stride, padding)
    assert out.shape == expected.shape
    assert relative_error(out, expected) < 1e-5


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_a_large_stride_is_cheaper_directly(dtype):
    conv = FFTConv2d(16, 8, 18, stride=8)
    assert not conv.prefers_frequencies(120, 120)
    x = torch.randn(1, 16, 60, 60)
    with torch.no_grad():
        out = conv(x.to(dtype))
        expected = F.conv2d(x, conv.weight, conv.bias, 8)
    assert out.dtype == dtype
    assert relative_error(out.float(), expected) < (1e-5 if dtype == torch.float32 else 3e-2)


def test_the_input_type_is_kept_and_autocast_changes_nothing():
    conv = FFTConv2d(16, 8, 14)
    x = torch.randn(1, 16, 60, 60).bfloat16()
    with torch.no_grad():
        expected = conv(x.float())
        with torch.autocast('cpu', dtype=torch.bfloat16):
            out = conv(x)
    assert out.dtype == torch.bfloat16
    assert relative_error(out.float(), expected) < 5e-3


def test_gradients_take_the_direct_way():
    conv = FFTConv2d(8, 4, 14)
    conv(torch.randn(1, 8, 60, 60)).sum().backward()
    assert conv.weight.grad.abs().sum() > 0


def test_a_changed_weight_changes_the_output():
    conv = FFTConv2d(16, 8, 14, bias=False)
    x = torch.randn(1, 16, 60, 60)
    with torch.no_grad():
        before = conv(x)
        conv.weight.mul_(2)
        assert relative_error(conv(x), 2 * before) < 1e-6


def test_a_copy_has_weights_of_its_own():
    conv = FFTConv2d(16, 8, 14)
    x = torch.randn(1, 16, 60, 60)
    with torch.no_grad():
        before = conv(x)
        other = copy.deepcopy(conv)
        other.weight.zero_()
        assert torch.equal(conv(x), before)
        assert torch.allclose(other(x), other.bias[:, None, None].expand_as(before))
    assert conv.state_dict().keys() == nn.Conv2d(16, 8, 14).state_dict().keys()


@torch.inference_mode()
def test_weights_of_inference_mode_work():
    conv = FFTConv2d(16, 8, 14)
    x = torch.randn(1, 16, 60, 60)
    assert relative_error(conv(x), F.conv2d(x, conv.weight, conv.bias)) < 1e-5


def test_an_empty_batch_stays_empty():
    conv = FFTConv2d(8, 4, 14)
    with torch.no_grad():
        assert conv(torch.zeros(0, 8, 60, 60)).shape == (0, 4, 47, 47)


@pytest.mark.parametrize('kwargs', [dict(groups=2), dict(dilation=2), dict(padding_mode='circular', padding=3)])
def test_what_the_frequency_path_cannot_do_runs_directly(kwargs):
    conv = nn.Conv2d(4, 4, 7, **kwargs)
    fast = FFTConv2d.from_conv(conv)
    assert not fast.prefers_frequencies(200, 200)
    x = torch.randn(1, 4, 40, 40)
    with torch.no_grad():
        assert torch.allclose(fast(x), conv(x), atol=1e-5)


@pytest.mark.parametrize('length', [15, 14])
def test_a_wrong_transform_length_is_refused(length):
    with pytest.raises(ValueError, match='even and larger than the kernel 14'):
        FFTConv2d(1, 1, 14, length=length)


def test_the_chosen_length_is_the_cheapest():
    length = best_transform_length(18, 128, 32, (288, 288))
    costs = {n: frequency_cost((288, 288), 18, 128, 32, n) for n in range(20, 65, 2)}
    assert costs[length] == min(costs.values())
    assert costs[length] < 0.2 * 288**2 * 18**2 * 128 * 32
