import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from torch import nn

from mmcount.models.layers import ChannelAffine, fold_norms
from mmcount.models.layers.fold_norm import norm_scale_shift


def trained(module):
    """Give every normalisation statistics that a fold could get wrong."""
    for one in module.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_mean.normal_()
            one.running_var.uniform_(0.2, 3)
        if isinstance(one, (nn.BatchNorm2d, ChannelAffine)) and one.weight is not None:
            nn.init.normal_(one.weight)
            nn.init.normal_(one.bias)
    return module.eval()


@pytest.mark.parametrize('norm', ['BN', 'mmcount.ChannelAffine'])
@pytest.mark.parametrize('bias', [False, True])
def test_folding_changes_no_value(norm, bias):
    torch.manual_seed(0)
    act = dict(type='LeakyReLU', negative_slope=0.01)
    model = nn.Sequential(
        ConvModule(3, 8, 3, norm_cfg=dict(type=norm), act_cfg=act, bias=bias),
        ConvModule(8, 5, 1, norm_cfg=dict(type=norm), act_cfg=act, bias=bias),
    )
    trained(model)
    folded = copy.deepcopy(model)
    x = torch.randn(2, 3, 9, 8)
    assert fold_norms(folded) == 2
    assert not any(isinstance(one, (nn.BatchNorm2d, ChannelAffine)) for one in folded.modules())
    expected = model(x)
    assert (folded(x) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_batch_norm_without_scale_is_folded():
    norm = trained(nn.BatchNorm2d(4, affine=False))
    scale, shift = norm_scale_shift(norm)
    x = torch.randn(1, 4, 3, 3)
    assert torch.allclose((x * scale[:, None, None] + shift[:, None, None]).float(), norm(x), atol=1e-5)


@pytest.mark.parametrize('norm_cfg', [None, dict(type='GN', num_groups=2), dict(type='BN', track_running_stats=False)])
def test_what_depends_on_the_input_is_left_alone(norm_cfg):
    model = nn.Sequential(ConvModule(3, 4, 3, norm_cfg=norm_cfg)).eval()
    x = torch.randn(2, 3, 8, 8)
    expected = model(x)
    assert fold_norms(model) == 0
    assert torch.equal(model(x), expected)


def test_a_norm_before_the_convolution_is_left_alone():
    model = trained(nn.Sequential(ConvModule(3, 4, 3, norm_cfg=dict(type='BN'), order=('norm', 'conv', 'act'))))
    assert fold_norms(model) == 0


def test_folding_in_training_mode_is_refused():
    with pytest.raises(ValueError, match='eval'):
        fold_norms(nn.Sequential(ConvModule(3, 4, 3, norm_cfg=dict(type='BN'))))


def test_a_model_without_conv_modules_folds_nothing():
    assert fold_norms(nn.Sequential().eval()) == 0
