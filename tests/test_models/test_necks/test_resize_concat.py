"""Levels side by side, and the pyramid of IIM."""

import pytest
import torch
import torch.nn.functional as F

from mmcount.models import ResizeConcat
from mmcount.registry import MODELS


@pytest.mark.parametrize('mode', ['nearest', 'bilinear'])
def test_levels_take_the_size_of_the_first(mode):
    torch.manual_seed(0)
    feats = [torch.rand(2, 3, 8, 6), torch.rand(2, 1, 4, 3), torch.rand(2, 2, 3, 5)]
    (out,) = ResizeConcat(mode)(feats)
    assert out.shape == (2, 6, 8, 6)
    assert torch.equal(out[:, :3], feats[0])
    options = {} if mode == 'nearest' else dict(align_corners=False)
    torch.testing.assert_close(out[:, 4:], F.interpolate(feats[2], size=(8, 6), mode=mode, **options))
    if mode == 'nearest':
        assert torch.equal(out[:, 3:4, ::2, ::2], feats[1])


def test_modes_are_checked():
    with pytest.raises(ValueError, match="'nearest', 'bilinear'"):
        ResizeConcat('cubic')


def test_the_pyramid_of_iim_is_a_chain_of_necks():
    with torch.device('meta'):
        neck = MODELS.build(
            [
                dict(
                    type='mmdet.FPN',
                    in_channels=[256, 512, 512],
                    out_channels=256,
                    num_outs=3,
                    norm_cfg=dict(type='BN'),
                    act_cfg=dict(type='ReLU'),
                ),
                dict(type='mmcount.ResizeConcat'),
            ]
        )
        (out,) = neck([torch.zeros(1, 256, 8, 8), torch.zeros(1, 512, 4, 4), torch.zeros(1, 512, 2, 2)])
    assert sum(p.numel() for p in neck.parameters()) == 2_100_224
    assert out.shape == (1, 768, 8, 8)
