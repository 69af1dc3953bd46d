"""HRNet with bilinear fusion: the published size, mmdet's names, odd sizes, and the fusion itself."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmdet.models import HRNet
from torch import nn

from mmcount.models import BilinearHRNet


def extra_of(widths, blocks=1, modules=(1, 1, 1), stem=8, stem_block='BASIC', stem_blocks=1):
    extra = dict(
        stage1=dict(num_modules=1, num_branches=1, block=stem_block, num_blocks=(stem_blocks,), num_channels=(stem,))
    )
    for stage, number in enumerate(modules, start=2):
        extra[f'stage{stage}'] = dict(
            num_modules=number,
            num_branches=stage,
            block='BASIC',
            num_blocks=(blocks,) * stage,
            num_channels=tuple(widths[:stage]),
        )
    return extra


SMALL = extra_of((4, 6, 8, 10))
W48 = extra_of((48, 96, 192, 384), blocks=4, modules=(1, 4, 3), stem=64, stem_block='BOTTLENECK', stem_blocks=4)


def test_parameters_of_w48():
    with torch.device('meta'):
        backbone = BilinearHRNet(copy.deepcopy(W48))
    assert sum(p.numel() for p in backbone.parameters()) == 65_325_120


def test_names_are_those_of_mmdet():
    backbone, plain = BilinearHRNet(copy.deepcopy(SMALL)), HRNet(copy.deepcopy(SMALL))
    assert {k: v.shape for k, v in backbone.state_dict().items()} == {k: v.shape for k, v in plain.state_dict().items()}
    assert not [one for one in backbone.modules() if isinstance(one, nn.Upsample)]


def test_normalisation_trains_with_the_published_momentum():
    backbone = BilinearHRNet(copy.deepcopy(SMALL)).train()
    norms = [one for one in backbone.modules() if isinstance(one, nn.BatchNorm2d)]
    assert norms
    assert all(norm.momentum == 0.01 and norm.training for norm in norms)
    frozen = BilinearHRNet(copy.deepcopy(SMALL), norm_eval=True).train()
    assert not any(one.training for one in frozen.modules() if isinstance(one, nn.BatchNorm2d))


def test_a_module_fuses_bilinearly():
    torch.manual_seed(0)
    module = BilinearHRNet(copy.deepcopy(SMALL)).eval().stage2[0]
    module.branches = nn.ModuleList([nn.Identity(), nn.Identity()])
    fine, coarse = torch.rand(1, 4, 7, 6), torch.rand(1, 6, 4, 3)
    out = module([fine, coarse])
    up = F.interpolate(module.fuse_layers[0][1](coarse), size=(7, 6), mode='bilinear', align_corners=False)
    torch.testing.assert_close(out[0], F.relu(fine + up))
    torch.testing.assert_close(out[1], F.relu(module.fuse_layers[1][0](fine) + coarse))


@pytest.mark.parametrize('size', [(32, 64), (33, 50), (20, 70)])
def test_any_size_goes_through(size):
    feats = BilinearHRNet(copy.deepcopy(SMALL)).eval()(torch.rand(1, 3, *size))
    for level, feat in enumerate(feats):
        stride = 4 * 2**level
        assert feat.shape[-2:] == (-(-size[0] // stride), -(-size[1] // stride))


def test_same_as_mmdet_where_maps_are_constant():
    """Nearest and bilinear resizing differ in nothing else, so on constant maps the networks agree."""
    torch.manual_seed(0)
    backbone, plain = BilinearHRNet(copy.deepcopy(SMALL)).eval(), HRNet(copy.deepcopy(SMALL))
    plain.eval()  # returns nothing
    plain.load_state_dict(backbone.state_dict())
    for one in [*backbone.modules(), *plain.modules()]:
        if isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1):
            one.padding_mode = 'replicate'
            one._reversed_padding_repeated_twice = [one.padding[0]] * 4
    x = torch.full((1, 3, 64, 64), 0.5)
    for one, other in zip(backbone(x), plain(x), strict=True):
        torch.testing.assert_close(one, other)
