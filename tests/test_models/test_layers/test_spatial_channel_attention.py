"""Attention over places and channels against the written-out formulas."""

import pytest
import torch

from mmcount.models.layers import SpatialChannelAttention
from mmcount.models.layers.spatial_channel_attention import ChannelAttention, SpatialAttention


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_spatial_attention_is_the_formula():
    layer, feat = SpatialAttention(16, 2).eval(), torch.randn(2, 16, 5, 7)
    assert torch.equal(layer(feat), feat)  # at first it changes nothing
    layer.weight.data.fill_(0.7)
    query, key, value = (one(feat).flatten(2) for one in (layer.query, layer.key, layer.value))
    weights = (query.transpose(1, 2) @ key).softmax(dim=-1)
    expected = feat + 0.7 * (value @ weights.transpose(1, 2)).view_as(feat)
    torch.testing.assert_close(layer(feat), expected)


def test_channel_attention_is_the_formula():
    layer, feat = ChannelAttention(), torch.randn(2, 4, 5, 3)
    layer.weight.data.fill_(-0.4)
    flat = feat.flatten(2)
    weights = torch.einsum('bcn,bdn->bcd', flat, flat).softmax(dim=-1)
    torch.testing.assert_close(layer(feat), feat - 0.4 * torch.einsum('bcd,bdn->bcn', weights, flat).view_as(feat))


def test_both_paths_learn_and_the_result_is_not_negative():
    layer = SpatialChannelAttention(64, 2)
    layer.spatial[1].weight.data.fill_(0.1)
    layer.channel[1].weight.data.fill_(0.1)
    out = layer(torch.randn(2, 64, 6, 4))
    assert out.shape == (2, 2, 6, 4)
    assert bool((out >= 0).all())
    out.sum().backward()
    # A softmax does not feel what is added to all keys, nor normalisation what is added before it.
    silent = {'spatial.1.query.0.bias', 'spatial.1.key.0.bias', 'spatial.1.key.1.bias', 'spatial.1.value.0.bias'}
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert name in silent or bool((parameter.grad != 0).any()), name


def test_wrong_widths_are_refused():
    with pytest.raises(ValueError, match='at least 4'):
        SpatialChannelAttention(3, 1)
    with pytest.raises(ValueError, match='key_channels'):
        SpatialAttention(4, 5)
