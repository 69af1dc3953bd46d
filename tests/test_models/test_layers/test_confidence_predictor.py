"""The confidence predictor: published sizes, resolution, initialisation."""

import pytest
import torch
from torch import nn

from mmcount.models import ConfidencePredictor


@pytest.mark.parametrize(('channels', 'number'), [(768, 1_379_649), (720, 1_258_929)])
def test_parameters_are_those_of_iim(channels, number):
    with torch.device('meta'):
        predictor = ConfidencePredictor(channels)
        out = predictor(torch.zeros(1, channels, 4, 6))
    assert sum(p.numel() for p in predictor.parameters()) == number
    assert out.shape == (1, 1, 16, 24)


@pytest.mark.parametrize(('upsample_channels', 'scale'), [((), 2), ((4,), 4), ((4, 3), 8)])
def test_each_layer_doubles_the_resolution(upsample_channels, scale):
    predictor = ConfidencePredictor(6, num_classes=2, feat_channels=5, upsample_channels=upsample_channels)
    assert predictor.scale == scale
    assert predictor(torch.rand(2, 6, 3, 5)).shape == (2, 2, 3 * scale, 5 * scale)
    assert predictor.conv.out_channels == 5


def test_only_the_convolution_is_initialised_by_the_paper():
    torch.manual_seed(0)
    predictor = ConfidencePredictor(256)
    before = predictor.upsample[0].weight.clone()
    predictor.init_weights()
    assert torch.equal(predictor.upsample[0].weight, before)
    assert abs(float(predictor.conv.weight.std()) - 0.01) < 5e-4
    assert not predictor.conv.bias.any()
    assert isinstance(predictor.norm, nn.BatchNorm2d)
