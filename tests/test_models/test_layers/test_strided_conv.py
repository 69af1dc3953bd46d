"""The space-to-depth convolution is the strided convolution."""

import pytest
import torch
import torch.nn.functional as F

from mmcount.models.layers import SpaceToDepthConv2d, space_to_depth_conv2d


@pytest.mark.parametrize(('kernel', 'stride', 'size'), [(18, 4, 47), (18, 8, 50), (5, 2, 11), (3, 4, 3), (14, 32, 60)])
def test_equals_the_strided_convolution(kernel, stride, size):
    x = torch.rand(2, 3, size, size + 2, dtype=torch.float64)
    weight, bias = torch.rand(4, 3, kernel, kernel, dtype=torch.float64), torch.rand(4, dtype=torch.float64)
    torch.testing.assert_close(space_to_depth_conv2d(x, weight, bias, stride), F.conv2d(x, weight, bias, stride=stride))


def test_gradients_are_those_of_the_strided_convolution():
    x = torch.rand(1, 2, 13, 13, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(3, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda a, b: space_to_depth_conv2d(a, b, None, 4), (x, weight))


@pytest.mark.parametrize('training', [True, False])
def test_module_gives_the_same_in_training_and_testing(training):
    conv = SpaceToDepthConv2d(3, 5, 18, stride=4).train(training)
    x = torch.rand(1, 3, 50, 50)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight, conv.bias, stride=4), rtol=1e-4, atol=1e-4)
