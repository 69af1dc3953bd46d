"""Peak back-propagation: the rule of the convolutions, batching, and a model that stays as it was."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmcount.models.segmentation.peak_backprop import (
    backpropagate_peaks,
    evaluating,
    normalise_relevance,
    peak_response_maps,
    positive_convolutions,
    traced_maps,
)
from mmcount.registry import MODELS

BACKBONES = {
    'resnet50': dict(
        type='mmdet.ResNet', depth=50, style='pytorch', norm_eval=False, with_cp=True, base_channels=8, stem_channels=8
    ),
    'resnet18': dict(
        type='mmdet.ResNet', depth=18, style='pytorch', norm_eval=False, base_channels=16, stem_channels=16
    ),
    'vgg11': dict(type='mmdet.SSDVGG', depth=11, out_feature_indices=(14,), init_cfg=None),
}


def build_net(name, num_classes=3):
    """A backbone and a 1x1 head with statistics as after some training."""
    torch.manual_seed(0)
    backbone = MODELS.build(BACKBONES[name])
    backbone.init_weights()
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    net = nn.ModuleDict(dict(backbone=backbone, head=nn.LazyConv2d(num_classes, 1)))
    with torch.no_grad():
        forward_of(net)(torch.zeros(2, 3, 64, 64))
    return net.train()


def forward_of(net):
    def forward(x):
        feats = net['backbone'](x)
        return net['head'](feats if isinstance(feats, torch.Tensor) else feats[-1])

    return forward


@pytest.mark.parametrize(
    'options',
    [
        dict(padding=1),
        dict(stride=2, padding=1),
        dict(padding=2, dilation=2),
        dict(padding='same'),
        dict(padding='valid', stride=2),
        dict(padding=(0, 1), groups=2),
    ],
)
def test_a_convolution_keeps_the_sum_of_the_relevance(options):
    torch.manual_seed(1)
    conv = nn.Conv2d(4, 6, 3, **options).double()
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64, requires_grad=True)
    with positive_convolutions():
        out = conv(x)
    assert torch.equal(out, conv(x))
    grad = torch.randn_like(out)
    # Cells that no positive weight reaches give nothing back; here every cell has one.
    (back,) = torch.autograd.grad(out, x, grad)
    assert float(back.sum()) == pytest.approx(float(grad.sum()), rel=1e-9)


def test_a_convolution_follows_the_published_rule():
    torch.manual_seed(2)
    conv = nn.Conv2d(2, 3, 3, padding=1).double()
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    with positive_convolutions():
        out = conv(x)
    shifted = (x - x.min()).detach()
    positive = conv.weight.detach().clamp(min=0)
    flow = F.conv2d(shifted, positive, padding=1)
    expected = shifted * F.conv_transpose2d(grad / (flow + 1e-10), positive, padding=1)
    torch.testing.assert_close(torch.autograd.grad(out, x, grad)[0], expected)


def test_outputs_without_positive_flow_give_nothing_back():
    conv = nn.Conv2d(1, 1, 1)
    conv.weight.data.fill_(-1.0)
    x = torch.rand(1, 1, 3, 3, requires_grad=True)
    with positive_convolutions():
        out = conv(x)
    assert torch.autograd.grad(out.sum(), x)[0].abs().max() == 0


def test_the_minimum_is_that_of_each_image():
    torch.manual_seed(3)
    conv, x = nn.Conv2d(2, 2, 3), torch.randn(3, 2, 6, 6)
    x[1] -= 5
    alone = []
    for index in range(3):
        leaf = x[index : index + 1].clone().requires_grad_()
        with positive_convolutions():
            out = conv(leaf)
        alone.append(torch.autograd.grad(out[0, 1, 2, 2], leaf)[0])
    leaf = x.clone().requires_grad_()
    with positive_convolutions():
        out = conv(leaf)
    torch.testing.assert_close(torch.autograd.grad(out[:, 1, 2, 2].sum(), leaf)[0], torch.cat(alone))


@pytest.mark.parametrize('name', BACKBONES)
def test_maps_are_the_models_and_batches_are_one_by_one(name):
    net = build_net(name)
    forward = forward_of(net)
    shape = (32, 48) if name == 'vgg11' else (64, 96)
    image = torch.randn(1, 3, *shape)
    peaks = torch.tensor([[0, 0, 1], [1, 1, 0], [2, 1, 2], [1, 0, 0], [0, 1, 1]])
    with torch.no_grad():
        maps, leaf = traced_maps(forward, image, net)
        batched = backpropagate_peaks(maps, leaf, peaks, max_peaks_per_batch=3)
        single = backpropagate_peaks(maps, leaf, peaks, max_peaks_per_batch=1)
        with evaluating(net):
            torch.testing.assert_close(forward(image), maps)
    assert batched.shape == (5, *shape)
    assert (batched.flatten(1).sum(dim=1) > 0).any()
    torch.testing.assert_close(batched, single, rtol=1e-4, atol=1e-9)
    for index, peak in enumerate(peaks[:2]):
        alone = peak_response_maps(forward, image, peak[None], net)
        torch.testing.assert_close(alone[0], normalise_relevance(batched)[index], rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize('context', [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_model_stays_as_it_was(context):
    net = build_net('resnet50')
    net['backbone'].layer1.eval()
    before = copy.deepcopy(net.state_dict())
    modes = [module.training for module in net.modules()]
    needs = [parameter.requires_grad for parameter in net.parameters()]
    with context():
        maps = peak_response_maps(forward_of(net), torch.randn(1, 3, 64, 64), torch.tensor([[0, 1, 1], [1, 0, 0]]), net)
    assert not maps.requires_grad
    assert [module.training for module in net.modules()] == modes
    assert [parameter.requires_grad for parameter in net.parameters()] == needs
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert net['backbone'].layer1[0].with_cp
    with evaluating(net), torch.no_grad():  # and no rule is left behind
        x = torch.randn(1, 3, 32, 32)
        assert torch.equal(net['backbone'].conv1(x), F.conv2d(x, net['backbone'].conv1.weight, None, 2, 3))


def test_the_model_is_restored_after_an_error():
    net = build_net('resnet18')

    def broken(x):
        net['backbone'](x)
        raise RuntimeError('out of luck')

    with pytest.raises(RuntimeError, match='out of luck'):
        traced_maps(broken, torch.randn(1, 3, 64, 64), net)
    assert all(module.training for module in net.modules())


def test_responses_sum_to_one_or_nothing():
    maps = torch.stack([torch.rand(4, 4), torch.zeros(4, 4)])
    assert normalise_relevance(maps).flatten(1).sum(dim=1).tolist() == pytest.approx([1.0, 0.0])


def test_no_peaks_and_bad_peaks():
    maps, leaf = traced_maps(nn.Conv2d(3, 2, 1), torch.randn(1, 3, 4, 4))
    assert backpropagate_peaks(maps, leaf, torch.zeros(0, 3, dtype=torch.long)).shape == (0, 4, 4)
    with pytest.raises(ValueError, match='must lie in maps'):
        backpropagate_peaks(maps, leaf, torch.tensor([[2, 0, 0]]))
    with pytest.raises(ValueError, match='max_peaks_per_batch'):
        backpropagate_peaks(maps, leaf, torch.tensor([[1, 0, 0]]), max_peaks_per_batch=0)


def test_relevance_is_local_where_the_network_is():
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 1, 3, padding=1))
    maps = peak_response_maps(net, torch.rand(1, 3, 16, 16), torch.tensor([[0, 8, 8]]), net)
    assert float(maps[0, 6:11, 6:11].sum()) == pytest.approx(1.0, abs=1e-5)
