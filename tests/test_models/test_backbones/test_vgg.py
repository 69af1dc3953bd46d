"""VGG: the published sizes, stages before and after pooling, torchvision's names."""

import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from mmcount.models import VGG

PYRAMID = dict(with_bn=True, out_indices=(2, 3, 4), pooled=False, bn_eval=False)


def count_parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_parameters_of_the_pyramid_are_those_of_iim():
    with torch.device('meta'):
        backbone = VGG(16, **PYRAMID)
        feats = backbone(torch.zeros(2, 3, 64, 96))
    assert count_parameters(backbone) == 14_723_136
    assert [tuple(feat.shape) for feat in feats] == [(2, 256, 16, 24), (2, 512, 8, 12), (2, 512, 4, 6)]


def test_names_and_shapes_are_those_of_torchvision():
    with torch.device('meta'):
        shapes = {name: tuple(value.shape) for name, value in VGG(16, **PYRAMID).state_dict().items()}
    assert shapes['features.0.weight'] == (64, 3, 3, 3)
    assert shapes['features.1.running_var'] == (64,)
    # torchvision's vgg16_bn: conv3_3 is layer 20, conv4_3 30, conv5_3 40, and the last layer is the ReLU 42
    assert [shapes[f'features.{index}.weight'] for index in (20, 30, 40)] == [
        (256, 256, 3, 3),
        (512, 512, 3, 3),
        (512, 512, 3, 3),
    ]
    assert max(int(name.split('.')[1]) for name in shapes) == 41
    assert not [name for name in shapes if name.startswith('classifier')]


def test_unpooled_stages_are_what_the_pools_see():
    torch.manual_seed(0)
    before, after = VGG(11, out_indices=(0, 2, 4), pooled=False).eval(), VGG(11, out_indices=(0, 2, 4)).eval()
    after.load_state_dict(before.state_dict())
    x = torch.rand(1, 3, 32, 64)
    unpooled, pooled = before(x), after(x)
    assert len(unpooled) == len(pooled) == 3
    for one, other in zip(unpooled, pooled, strict=True):
        torch.testing.assert_close(nn.functional.max_pool2d(one, 2), other)
    assert isinstance(after.features[-1], nn.MaxPool2d)
    assert isinstance(before.features[-1], nn.ReLU)


@pytest.mark.parametrize('pooled', [True, False])
def test_class_scores_come_last_and_need_the_last_pool(pooled):
    with torch.device('meta'):
        network = VGG(11, num_classes=5, out_indices=(4,), pooled=pooled)
        feats, scores = network(torch.zeros(2, 3, 224, 224))
    assert scores.shape == (2, 5)
    assert feats.shape[-1] == (7 if pooled else 14)


def test_normalisation_trains_only_where_asked_for():
    assert VGG(11, with_bn=True, bn_eval=False).train().features[1].training
    assert not VGG(11, with_bn=True).train().features[1].training
    assert VGG(11).train(False) is not None


def test_init_cfg_is_applied(tmp_path):
    source = VGG(11, **PYRAMID)
    torch.save({**source.state_dict(), 'classifier.0.weight': torch.zeros(1)}, tmp_path / 'vgg.pth')
    target = VGG(11, **PYRAMID, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'vgg.pth')))
    assert isinstance(target, BaseModule)
    assert not torch.equal(target.features[0].weight, source.features[0].weight)
    target.init_weights()
    assert torch.equal(target.features[0].weight, source.features[0].weight)
