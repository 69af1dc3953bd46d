"""The three kinds of thresholds behind one interface, and the pixel-level one against its published graph."""

import pytest
import torch
import torch.nn.functional as F

from mmcount.models.binarization import FixedThreshold, ImageThreshold, PixelThreshold, binarize
from mmcount.registry import MODELS

KINDS = [
    dict(type='mmcount.FixedThreshold', value=0.4),
    dict(type='mmcount.ImageThreshold', in_channels=6),
    dict(type='mmcount.PixelThreshold', in_channels=6, feat_channels=(5, 4), pool_size=3),
]


def published(module, feats, confidence):
    """Seven steps, literally: nearest resizing, product, convolutions, two square means, factor, range, repetition."""
    p = F.interpolate(confidence.detach(), scale_factor=0.125)
    x = F.interpolate(feats.detach(), scale_factor=0.5) * p
    x = module.convs(x)
    x = F.avg_pool2d(x, 15, 1, 7)
    x = F.avg_pool2d(module.logit(x), 15, 1, 7)
    threshold = 1 / (2 + torch.exp(-10 * x)) + 0.2
    return F.interpolate(threshold, scale_factor=8)


@pytest.mark.parametrize(('channels', 'number'), [(720, 2_027_587), (768, 2_138_179)])
def test_parameters_of_the_pixel_level_module(channels, number):
    with torch.device('meta'):
        assert sum(p.numel() for p in PixelThreshold(channels).parameters()) == number


def test_pixel_thresholds_are_those_of_the_published_graph():
    torch.manual_seed(0)
    module = PixelThreshold(6, feat_channels=(8, 7, 6))
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.8)
    feats, confidence = torch.rand(2, 6, 12, 20), torch.rand(2, 1, 48, 80)
    expected, found = published(module, feats, confidence), module(feats, confidence)
    assert float((expected.max() - expected.min()).detach()) > 0.02
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)
    grads = [torch.autograd.grad((out * confidence).sum(), list(module.parameters())) for out in (expected, found)]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind['type'])
def test_one_interface(kind):
    torch.manual_seed(0)
    module = MODELS.build(dict(kind))
    feats, confidence = torch.rand(2, 6, 6, 8), torch.rand(2, 1, 24, 32)
    threshold = module(feats, confidence)
    assert threshold.shape == confidence.shape
    assert threshold.dtype == torch.float32
    assert bool(((threshold > 0.2) & (threshold < 0.7)).all())
    binary = binarize(confidence, threshold)
    assert torch.equal(binary, (confidence >= threshold).float())


@pytest.mark.parametrize('kind', KINDS[1:], ids=lambda kind: kind['type'])
def test_zero_evidence_gives_a_third_and_a_fifth(kind):
    module = MODELS.build(dict(kind))
    for feats, confidence in (
        (torch.zeros(1, 6, 4, 4), torch.rand(1, 1, 16, 16)),
        (torch.rand(1, 6, 4, 4), torch.zeros(1, 1, 16, 16)),
    ):
        torch.testing.assert_close(module(feats, confidence), torch.full((1, 1, 16, 16), 1 / 3 + 0.2))


@pytest.mark.parametrize('kind', KINDS[1:], ids=lambda kind: kind['type'])
def test_thresholds_teach_neither_features_nor_confidence(kind):
    module = MODELS.build(dict(kind))
    feats = torch.rand(1, 6, 4, 4, requires_grad=True)
    confidence = torch.rand(1, 1, 16, 16, requires_grad=True)
    module(feats, confidence).sum().backward()
    assert feats.grad is None
    assert confidence.grad is None
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters())


def test_a_threshold_gets_the_sum_over_its_block():
    module = PixelThreshold(2, feat_channels=(2,), pool_size=1)
    confidence = torch.rand(1, 1, 16, 16)
    threshold = torch.full((1, 1, 2, 2), 0.5, requires_grad=True)
    binarize(confidence, module.spread(threshold, confidence)).sum().backward()
    assert threshold.grad.flatten().tolist() == [-64.0] * 4


def test_image_thresholds_are_one_number_each():
    torch.manual_seed(0)
    threshold = ImageThreshold(6)(torch.rand(3, 6, 4, 4), torch.rand(3, 1, 16, 16))
    assert (threshold.amax(dim=(1, 2, 3)) == threshold.amin(dim=(1, 2, 3))).all()
    assert len(threshold.unique()) == 3


@pytest.mark.parametrize(('feat_stride', 'threshold_stride', 'size'), [(1, 1, (7, 9)), (1, 4, (7, 9)), (2, 2, (9, 12))])
def test_attaches_to_any_map(feat_stride, threshold_stride, size):
    module = PixelThreshold(
        3, num_classes=2, feat_channels=(4,), pool_size=3, feat_stride=feat_stride, threshold_stride=threshold_stride
    )
    feats = torch.rand(1, 3, *(-(-side // feat_stride) for side in size))
    assert module(feats, torch.rand(1, 2, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    torch.manual_seed(0)
    module = PixelThreshold(6, feat_channels=(5, 4), pool_size=3)
    feats, confidence = torch.rand(1, 6, 8, 8) * 50, torch.rand(1, 1, 32, 32)
    expected = module(feats, confidence)
    with torch.autocast('cpu', dtype=dtype):
        found = module(feats.to(dtype), confidence)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0)
    found.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


def test_bad_options_and_maps():
    with pytest.raises(ValueError, match='multiple of feat_stride'):
        PixelThreshold(4, feat_stride=4, threshold_stride=6)
    with pytest.raises(ValueError, match='odd'):
        PixelThreshold(4, pool_size=4)
    with pytest.raises(ValueError, match='at least one convolution'):
        PixelThreshold(4, feat_channels=())
    with pytest.raises(ValueError, match=r'in 0\.\.1'):
        FixedThreshold(50)
    with pytest.raises(ValueError, match='4 cells of the confidence map apart'):
        ImageThreshold(2)(torch.rand(1, 2, 8, 8), torch.rand(1, 1, 16, 16))
    with pytest.raises(ValueError, match='num_classes=1, the confidence map has 2'):
        ImageThreshold(2)(torch.rand(1, 2, 4, 4), torch.rand(1, 2, 16, 16))
