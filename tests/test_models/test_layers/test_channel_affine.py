"""Scale and shift per channel."""

import torch

from mmcount.models.layers import ChannelAffine


def test_scales_and_shifts_each_channel():
    layer = ChannelAffine(2)
    layer.weight.data = torch.tensor([2.0, 3.0])
    layer.bias.data = torch.tensor([1.0, -1.0])
    out = layer(torch.ones(1, 2, 2, 2))
    assert out[0, 0].unique().tolist() == [3.0]
    assert out[0, 1].unique().tolist() == [2.0]


def test_starts_as_identity_and_keeps_the_dtype():
    x = torch.rand(1, 3, 4, 4, dtype=torch.bfloat16)
    out = ChannelAffine(3)(x)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, x)
