"""Checkpoints of IIM: networks of the released layout, in plain PyTorch, against the converted counters."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import nn

from mmcount.apis.model_converters import (
    convert_hrnet_state_dict,
    convert_iim_state_dict,
    convert_scale_net_state_dict,
    convert_torchvision_vgg_state_dict,
)
from mmcount.models import InstanceMapHead
from mmcount.models.backbones import VGG
from mmcount.models.layers import SpatialChannelAttention
from mmcount.registry import MODELS
from mmcount.utils import register_all_modules

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / 'tools' / 'model_converters' / 'iim_to_mmcount.py'
VGG11 = (64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M')
VGG16 = (64, 64, 'M', 128, 128, 'M', 256, 256, 256, 'M', 512, 512, 512, 'M', 512, 512, 512, 'M')


@pytest.fixture(autouse=True)
def setup():
    register_all_modules()
    torch.manual_seed(0)


# Networks with the names of the released files ------------------------------------------------------------------------


def conv_bn(inside, outside, size, act=True, bias=False):
    unit = nn.Module()
    unit.conv, unit.bn = nn.Conv2d(inside, outside, size, padding=size // 2, bias=bias), nn.BatchNorm2d(outside)
    unit.forward = lambda x: F.relu(unit.bn(unit.conv(x))) if act else unit.bn(unit.conv(x))
    return unit


def vgg_features(with_bn=True, plan=VGG16):
    layers, inside = [], 3
    for width in plan:
        if width == 'M':
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(inside, width, 3, padding=1), *([nn.BatchNorm2d(width)] * with_bn), nn.ReLU()]
            inside = width
    return nn.Sequential(*layers)


def confidence_layers(channels):
    first = [nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(channels), nn.ReLU()]
    second = [nn.ConvTranspose2d(channels, 64, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1)]
    return nn.Sequential(*first, *second, nn.Sigmoid())


class Encoder(nn.Module):
    """The threshold encoder, with its two numbers that nothing uses."""

    def __init__(self, channels):
        super().__init__()
        layers = []
        for inside, outside in ((channels, 256), (256, 128), (128, 64)):
            layers += [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.PReLU()]
        pool = nn.AvgPool2d(15, 1, 7)
        self.Threshold_Module = nn.Sequential(*layers, pool, nn.Conv2d(64, 1, 1, bias=False), pool)
        self.weight, self.bias = nn.Parameter(torch.full((1,), 0.5)), nn.Parameter(torch.zeros(1))

    def forward(self, feats, confidence):
        weighted = feats[..., ::2, ::2] * confidence[..., ::8, ::8]
        threshold = 1 / (2 + torch.exp(-10 * self.Threshold_Module(weighted))) + 0.2
        return F.interpolate(threshold, scale_factor=8)


class VGGExtractor(nn.Module):
    def __init__(self):
        super().__init__()
        features = vgg_features()
        self.layer1, self.layer2, self.layer3 = features[:23], features[23:33], features[33:43]
        self.layer2 = nn.Sequential(*self.layer2)
        self.layer3 = nn.Sequential(*self.layer3)
        self.neck = nn.Module()
        self.neck.lateral_convs = nn.ModuleList([conv_bn(width, 256, 1) for width in (256, 512, 512)])
        self.neck.fpn_convs = nn.ModuleList([conv_bn(256, 256, 3) for _ in range(3)])
        self.de_pred = confidence_layers(768)

    def forward(self, x):
        levels = []
        for layer in (self.layer1, self.layer2, self.layer3):
            x = layer(x)
            levels.append(x)
        levels = [conv(one) for conv, one in zip(self.neck.lateral_convs, levels, strict=True)]
        for index in (2, 1):
            levels[index - 1] = levels[index - 1] + F.interpolate(levels[index], scale_factor=2)
        levels = [conv(one) for conv, one in zip(self.neck.fpn_convs, levels, strict=True)]
        feats = torch.cat([F.interpolate(one, scale_factor=2**index) for index, one in enumerate(levels)], dim=1)
        return feats, self.de_pred(feats)


class Locator(nn.Module):
    def __init__(self):
        super().__init__()
        self.Extractor, self.Binar = VGGExtractor(), Encoder(768)

    def forward(self, x):
        feats, confidence = self.Extractor(x)
        return confidence, self.Binar(feats, confidence)


def hrnet_extractor():
    """The trunk is that of the counter: mmdet took its names over from the released code."""
    extractor = MODELS.build(config('iim_hrnet-w48').model.backbone)
    extractor.last_layer = confidence_layers(720)
    return extractor


def residual_layer(inside, width, number):
    """Bottlenecks with the names of torchvision."""
    blocks = []
    for index in range(number):
        block = nn.Module()
        before = inside if index == 0 else 4 * width
        for place, (start, end, size) in enumerate(((before, width, 1), (width, width, 3), (width, 4 * width, 1)), 1):
            setattr(block, f'conv{place}', nn.Conv2d(start, end, size, bias=False))
            setattr(block, f'bn{place}', nn.BatchNorm2d(end))
        if index == 0:
            block.downsample = nn.Sequential(nn.Conv2d(before, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width))
        blocks.append(block)
    return nn.Sequential(*blocks)


class Attention(nn.Module):
    """SCAR's attention with the released names."""

    def __init__(self, inside, outside):
        super().__init__()
        width = inside // 4
        spatial, channel = nn.Module(), nn.Module()
        spatial.para_lambda = nn.Parameter(torch.rand(1))
        for name, end in (('query', width // 8), ('key', width // 8), ('value', width)):
            setattr(spatial, f'{name}_conv', conv_bn(width, end, 1, act=False, bias=True))
        channel.para_mu = nn.Parameter(torch.rand(1))
        spatial.forward, channel.forward = self.over_places, self.over_channels
        self.conv_sa = nn.Sequential(conv_bn(inside, width, 3), spatial, conv_bn(width, width, 3))
        self.conv_ca = nn.Sequential(conv_bn(inside, width, 3), channel, conv_bn(width, width, 3))
        self.conv_cat = nn.Module()
        self.conv_cat.conv = nn.Conv2d(2 * width, outside, 1)

    def over_places(self, x):
        layer = self.conv_sa[1]
        query, key, value = (getattr(layer, f'{name}_conv')(x).flatten(2) for name in ('query', 'key', 'value'))
        weights = (query.transpose(1, 2) @ key).softmax(-1)
        return x + layer.para_lambda * (value @ weights.transpose(1, 2)).view_as(x)

    def over_channels(self, x):
        flat = x.flatten(2)
        return x + self.conv_ca[1].para_mu * ((flat @ flat.transpose(1, 2)).softmax(-1) @ flat).view_as(x)

    def forward(self, x):
        return F.relu(self.conv_cat.conv(torch.cat([self.conv_sa(x), self.conv_ca(x)], dim=1)))


class ScaleNet(nn.Module):
    def __init__(self):
        super().__init__()
        stem = [nn.Conv2d(3, 64, 7, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3)]
        self.frontend = nn.Sequential(*stem, residual_layer(64, 64, 3), residual_layer(256, 128, 4))
        self.own_reslayer_3 = residual_layer(512, 256, 6)
        layers, inside = [], 1024
        for width in (512, 512, 512, 256, 128, 64):
            layers += [nn.Conv2d(inside, width, 3, padding=2, dilation=2), nn.ReLU()]
            inside = width
        self.backend = nn.Sequential(*layers)
        self.output_layer = Attention(64, 1)


# Helpers --------------------------------------------------------------------------------------------------------------


def config(base):
    return Config.fromfile(ROOT / 'configs' / '_base_' / 'models' / f'{base}.py')


def make_counter(base):
    cfg = config(base).model
    cfg.backbone.init_cfg = None
    cfg.head.setdefault('codec', dict(type='mmcount.InstanceMapCodec'))
    return MODELS.build(cfg)


def meta(builder):
    with torch.device('meta'):
        return builder()


def locator_state(extractor, channels, wrapper=''):
    state = {f'Extractor.{wrapper}{key}': value for key, value in extractor.state_dict().items()}
    return state | {
        f'Binar.{wrapper}{key}': value for key, value in meta(lambda: Encoder(channels)).state_dict().items()
    }


def shake(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0.0, 0.2)
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.1, 0.6)
    return network.eval()


def old_order(state):
    return {key: tuple(value.shape) for key, value in state.items()}


# The tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('base', 'channels', 'wrapper'), [('iim_vgg16-fpn', 768, 'module.'), ('iim_hrnet-w48', 720, '')]
)
def test_every_tensor_of_the_locators_has_its_place(base, channels, wrapper):
    extractor = meta(VGGExtractor if channels == 768 else hrnet_extractor)
    state = locator_state(extractor, channels, wrapper)
    converted = convert_iim_state_dict(state)
    assert converted['calibration.fitted'].device.type == 'cpu'
    used = {id(value) for value in state.values()}
    placed = [value for key, value in converted.items() if not key.startswith('calibration.')]
    assert len(placed) == len(used) - 2  # the two numbers of the encoder
    expected = old_order(meta(lambda: make_counter(base)).state_dict())
    assert old_order(converted) == expected


def test_a_converted_vgg_locator_computes_the_same():
    network = shake(Locator())
    # Narrow logits would make all thresholds one.
    for module in network.Binar.Threshold_Module:
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.03)
    counter = make_counter('iim_vgg16-fpn')
    counter.load_state_dict(convert_iim_state_dict(network.state_dict()))
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        confidence, threshold = network(image)
        ours = counter.eval().maps(image)
    assert isinstance(counter.head, InstanceMapHead)
    assert float(confidence.std()) > 0
    assert float(threshold.std()) > 0
    torch.testing.assert_close(ours[0], confidence, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours[1], threshold, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('wrapper', ['', 'CCN.module.'])
def test_every_tensor_of_the_scale_network_has_its_place(wrapper):
    state = {f'{wrapper}{key}': value for key, value in meta(ScaleNet).state_dict().items()}
    converted = convert_scale_net_state_dict(state)
    assert len([key for key in converted if not key.startswith('calibration.')]) == len(state)
    assert old_order(converted) == old_order(meta(lambda: make_counter('scale-map_r50')).state_dict())


def test_converted_attention_computes_the_same():
    network = shake(Attention(64, 1))
    full = {f'output_layer.{key}': value for key, value in network.state_dict().items()}
    rest = {key: value for key, value in meta(ScaleNet).state_dict().items() if not key.startswith('output_layer.')}
    start = 'head.attention.'
    converted = convert_scale_net_state_dict({**rest, **full})
    ours = SpatialChannelAttention(64, 1).eval()
    ours.load_state_dict({key[len(start) :]: value for key, value in converted.items() if key.startswith(start)})
    nn.init.constant_(ours.out.bias, 1.0)
    nn.init.constant_(network.conv_cat.conv.bias, 1.0)
    feats = torch.randn(2, 64, 6, 5)
    assert float(network(feats).std().detach()) > 0
    torch.testing.assert_close(ours(feats), network(feats))


def test_backbones_of_imagenet_are_read():
    vgg = {f'features.{key}': value for key, value in meta(vgg_features).state_dict().items()}
    vgg['classifier.0.weight'] = torch.zeros(1)
    trunk = {f'backbone.{key}': tuple(value.shape) for key, value in vgg.items() if key.startswith('features')}
    assert old_order(convert_torchvision_vgg_state_dict(vgg)) == trunk
    plain = {f'features.{key}': value for key, value in meta(lambda: vgg_features(with_bn=False)).state_dict().items()}
    assert len(convert_torchvision_vgg_state_dict(plain)) == 26
    hrnet = meta(lambda: MODELS.build(config('iim_hrnet-w48').model.backbone)).state_dict()
    classifier = {'incre_modules.0.0.conv1.weight': torch.zeros(1), 'classifier.weight': torch.zeros(1)}
    found = convert_hrnet_state_dict({**hrnet, **classifier})
    assert old_order(found) == {f'backbone.{key}': tuple(value.shape) for key, value in hrnet.items()}


def test_files_of_another_layout_are_refused_with_the_names_of_the_file():
    state = locator_state(meta(VGGExtractor), 768)
    with pytest.raises(ValueError, match=r"missing keys: 'Extractor\.layer3\.1\.weight'"):
        convert_iim_state_dict({key: value for key, value in state.items() if key != 'Extractor.layer3.1.weight'})
    with pytest.raises(ValueError, match=r"unexpected keys that no rule names: 'Extractor\.layer4\.0\.weight'"):
        convert_iim_state_dict({**state, 'Extractor.layer4.0.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match=r'Extractor\.de_pred\.5\.weight is \(64, 2, 4, 4\), expected \(64, 1, 4, 4\)'):
        convert_iim_state_dict({**state, 'Extractor.de_pred.5.weight': torch.zeros(64, 2, 4, 4)})
    with pytest.raises(ValueError, match='would both become'):
        convert_iim_state_dict({**state, 'module.Extractor.layer1.0.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='no weights of IIM'):
        convert_iim_state_dict({'backbone.conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='no scale network of IIM'):
        convert_scale_net_state_dict({'backbone.conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='no HRNet'):
        convert_hrnet_state_dict({'conv1.weight': torch.zeros(1)})
    with pytest.raises(ValueError, match='no VGG has 1 convolutions'):
        convert_torchvision_vgg_state_dict({'features.0.weight': torch.zeros(64, 3, 3, 3)})


# The tool -------------------------------------------------------------------------------------------------------------


def run_tool(monkeypatch, *args):
    spec = importlib.util.spec_from_file_location('iim_to_mmcount', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', ['iim_to_mmcount', *map(str, args)])
    return tool.main()


def test_the_tool_converts_what_it_recognises(tmp_path, monkeypatch, capsys):
    source, out = tmp_path / 'vgg.pth', tmp_path / 'backbone.pth'
    features = meta(lambda: vgg_features(plan=VGG11)).to_empty(device='cpu')
    nn.init.ones_(features[0].weight)
    torch.save({f'features.{key}': value for key, value in features.state_dict().items()}, source)
    assert run_tool(monkeypatch, source, out) == 0
    assert 'a backbone of' in capsys.readouterr().out
    init_cfg = dict(type='Pretrained', checkpoint=str(out), prefix='backbone.')
    backbone = meta(lambda: VGG(11, with_bn=True, out_indices=(2, 3, 4), init_cfg=init_cfg)).to_empty(device='cpu')
    backbone.init_weights()
    assert bool((backbone.features[0].weight == 1).all())
    assert run_tool(monkeypatch, source, tmp_path / 'b.pth', '--config', 'any.py') == 2
    assert 'a backbone only' in capsys.readouterr().err
    assert not (tmp_path / 'b.pth').exists()


def test_the_tool_writes_a_locator_with_its_config(tmp_path, monkeypatch, capsys):
    source, out = tmp_path / 'NWPU-VGG.pth', tmp_path / 'iim.pth'
    torch.save(meta(Locator).to_empty(device='cpu').state_dict(), source)
    cfg = tmp_path / 'model.py'
    base = (ROOT / 'configs' / '_base_' / 'models' / 'iim_vgg16-fpn.py').as_posix()
    head = "dict(codec=dict(type='mmcount.InstanceMapCodec'))"
    cfg.write_text(f"_base_ = ['{base}']\nmodel = dict(backbone=dict(init_cfg=None), head={head})\n")
    assert run_tool(monkeypatch, source, out, '--config', cfg) == 0
    assert 'an IIM counter of' in capsys.readouterr().out
    content = torch.load(out, weights_only=True)
    assert content['meta']['dataset_meta']['classes'] == ('head',)
    assert content['meta']['source']['project'] == 'taohan10200/IIM'
    assert old_order(content['state_dict']) == old_order(meta(lambda: make_counter('iim_vgg16-fpn')).state_dict())
    torch.save({'a': torch.zeros(1)}, source)
    assert run_tool(monkeypatch, source, tmp_path / 'c.pth') == 2
    assert 'holds none of' in capsys.readouterr().err
