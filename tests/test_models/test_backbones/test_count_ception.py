"""The network against its published layer table."""

import pytest
import torch
from torch import nn

from mmcount.models import CountCeption, RedundantCountHead

CODEC = dict(type='mmcount.RedundantCountCodec', window_size=32)


def count_parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def haloed(image, window=32):
    return nn.functional.pad(image, (window,) * 4)


def test_parameters_are_those_of_the_paper():
    backbone, head = CountCeption(), RedundantCountHead(CODEC)
    assert count_parameters(backbone, head) == 1_682_210
    per_layer = [count_parameters(layer) for layer in backbone.layers] + [count_parameters(head)]
    assert per_layer == [1856, 10304, 9824, 150560, 9024, 56512, 38560, 71936, 1327168, 2176, 4224, 66]


def test_affine_has_the_parameters_of_batch_normalisation():
    norm = dict(type='mmcount.ChannelAffine')
    assert count_parameters(CountCeption(norm_cfg=norm), RedundantCountHead(CODEC, norm_cfg=norm)) == 1_682_210


@pytest.mark.parametrize('size', [(20, 20), (13, 21), (1, 30)])
def test_output_grows_by_the_window(size):
    out = CountCeption().eval()(haloed(torch.rand(1, 3, *size)))[0]
    assert out.shape == (1, 64, size[0] + 32, size[1] + 32)


@pytest.mark.parametrize(('window', 'channels'), [(16, 1), (24, 3)])
def test_other_windows_and_channels(window, channels):
    backbone = CountCeption(in_channels=channels, window_size=window).eval()
    assert backbone(haloed(torch.rand(1, channels, 20, 14), window))[0].shape == (1, 64, 20 + window, 14 + window)
    kernels = backbone.conv4.conv.kernel_size[0], backbone.conv9.conv.kernel_size[0]
    assert sum(kernels) == window


@pytest.mark.parametrize('stride', [2, 4, 8, 16, 32])
@pytest.mark.parametrize('training', [False, True])
def test_stride_in_the_second_large_convolution_equals_stride_in_the_last_layer(stride, training):
    backbone = CountCeption(norm_eval=True).train(training)
    strided = CountCeption(norm_eval=True, stride=stride).train(training)
    strided.load_state_dict(backbone.state_dict())
    image = haloed(torch.rand(1, 3, 5, 10))
    dense = backbone(image)[0][..., ::stride, ::stride]
    torch.testing.assert_close(strided(image)[0], dense, rtol=1e-4, atol=1e-4)


def test_initial_weights_are_glorot_uniform_with_the_gain_of_relu():
    backbone = CountCeption()
    backbone.init_weights()
    weight = backbone.conv4.conv.weight.detach()
    bound = (2 * 6 / ((48 + 16) * 14 * 14)) ** 0.5
    assert float(weight.abs().max()) <= bound
    assert float(weight.std()) == pytest.approx(bound / 3**0.5, rel=0.02)


def test_norm_eval_keeps_statistics_while_scale_and_shift_train():
    backbone = CountCeption(window_size=8, norm_eval=True).train()
    norm = backbone.conv1.norm
    before = norm.running_mean.clone()
    backbone(haloed(torch.rand(2, 3, 8, 8), 8))[0].sum().backward()
    assert not norm.training
    assert norm.weight.grad is not None
    torch.testing.assert_close(norm.running_mean, before)


def test_a_window_too_small_for_two_kernels_is_refused():
    with pytest.raises(ValueError, match='window_size must be at least 4'):
        CountCeption(window_size=2)


def test_a_stride_that_does_not_divide_the_window_is_refused():
    with pytest.raises(ValueError, match='stride must divide window_size'):
        CountCeption(stride=5)
    with pytest.raises(TypeError, match="no option 'padding' any more"):
        CountCeption(padding=32)
