"""Checkpoints of CountSeg: a network of the same layout, in plain PyTorch, against the converted counter."""

import importlib.util
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmdet.datasets import CocoDataset, VOCDataset
from mmengine.config import Config
from torch import nn

from mmcount.apis.model_converters import (
    convert_countseg_state_dict,
    convert_torchvision_resnet_state_dict,
    read_state_dict,
)
from mmcount.apis.model_converters.state_dict import resnet_depth
from mmcount.apis.weights import file_sha256
from mmcount.models import DenseCounter
from mmcount.structures import CountDataSample

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / 'tools' / 'model_converters' / 'countseg_to_mmcount.py'


class Block(nn.Module):
    """Bottleneck with the stride in its 3 x 3 convolution."""

    def __init__(self, inside, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride > 1 or inside != 4 * width:
            shortcut = nn.Conv2d(inside, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + (x if self.downsample is None else self.downsample(x)))


class FullyConvolutional(nn.Module):
    """ResNet-50 and a 1 x 1 convolution, with the names of the released network."""

    def __init__(self, channels):
        super().__init__()
        stages, inside = [], 64
        for width, number, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
            blocks = [Block(inside, width, stride)] + [Block(4 * width, width, 1) for _ in range(number - 1)]
            stages.append(nn.Sequential(*blocks))
            inside = 4 * width
        stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        self.features = nn.Sequential(*stem, *stages)
        self.classifier = nn.Sequential(nn.Conv2d(2048, channels, 1))


class TwoBranches(nn.Module):
    def __init__(self, width, num_classes):
        super().__init__()
        for name in ('branch1', 'branch2'):
            layers = [nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, num_classes, 1)]
            setattr(self, name, nn.Sequential(*layers))


class Reference(nn.Module):
    """The whole network and its counts, as Cholakkal et al. release it."""

    def __init__(self, num_classes):
        super().__init__()
        self.backbond = FullyConvolutional(3 * num_classes)
        self.addedmodule = TwoBranches(3 * num_classes // 2, num_classes)

    def forward(self, x):
        shared = self.backbond.classifier(self.backbond.features(x))
        first, second = shared.chunk(2, dim=1)
        maps, logits = self.addedmodule.branch1(first), self.addedmodule.branch2(second)
        cells = torch.arange(maps[0, 0].numel()).view(1, 1, *maps.shape[2:])
        _, winner = F.max_pool2d(maps, 3, 1, 1, return_indices=True)
        median = maps.flatten(2).median(dim=2).values[:, :, None, None]
        peaks = ((winner == cells) & (maps >= median)).float()
        scores = (maps * peaks).sum((2, 3)) / peaks.sum((2, 3))
        return maps, logits, logits.mean((2, 3)) * (scores > 0)


def make_reference(num_classes, seed=0):
    torch.manual_seed(seed)
    network = Reference(num_classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, 0.0, 0.2)
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.1, 0.6)
            module.num_batches_tracked.fill_(7)
    return network.eval()


def wrapped(network, wrapper='module.'):
    return OrderedDict((wrapper + key, value) for key, value in network.state_dict().items())


@pytest.fixture(scope='module')
def voc():
    return make_reference(20)


@pytest.fixture
def voc_state(voc):
    return wrapped(voc)


def make_counter(num_classes):
    cfg = Config.fromfile(ROOT / 'configs' / '_base_' / 'models' / 'ilc_r50.py').model
    cfg.pop('type')
    cfg.backbone.init_cfg = None
    cfg.head.num_classes = num_classes
    return DenseCounter(**cfg).eval()


@pytest.mark.parametrize('num_classes', [20, 80])
def test_the_counter_says_what_the_released_network_says(num_classes, voc):
    reference = voc if num_classes == 20 else make_reference(80, seed=1)
    counter = make_counter(num_classes)
    counter.load_state_dict(convert_countseg_state_dict(wrapped(reference)))
    # Pixels as the released code takes them: RGB in 0..1 by the mean and deviation of ImageNet.
    pixels = torch.randint(0, 256, (2, 3, 192, 160), dtype=torch.uint8)
    normalise = (torch.tensor(one).view(3, 1, 1) for one in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    mean, deviation = normalise
    with torch.no_grad():
        maps, logits, counts = reference((pixels / 255 - mean) / deviation)
        samples = [CountDataSample(metainfo=dict(img_shape=(192, 160), img_id=str(one))) for one in range(2)]
        batch = dict(inputs=list(pixels.flip(1)), data_samples=samples)  # BGR, as images are read
        own_maps, own_logits = counter(counter.data_preprocessor(batch)['inputs'])
        predicted = counter.test_step(batch)
    assert maps.std() > 0.01
    assert 0 < (counts != 0).float().mean() < 1
    torch.testing.assert_close(own_maps, maps, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own_logits, logits, atol=1e-5, rtol=1e-5)
    for row, sample in zip(counts, predicted, strict=True):
        torch.testing.assert_close(sample.pred_counts, row, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(sample.pred_density.data.sum((1, 2)), row, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('wrapper', ['', 'module.', 'module.model.'])
def test_every_wrapper_is_taken_off_and_every_value_used_once(voc, wrapper):
    source = wrapped(voc, wrapper)
    converted = convert_countseg_state_dict(source)
    assert list(converted) == list(make_counter(20).state_dict())
    own = {key: value for key, value in converted.items() if not key.startswith('calibration.')}
    assert len(own) == len(source)
    assert {value.data_ptr() for value in own.values()} == {value.data_ptr() for value in source.values()}
    assert not bool(converted['calibration.fitted'])


def test_files_of_old_versions_without_step_counters_are_read(voc_state):
    old = {key: value for key, value in voc_state.items() if not key.endswith('num_batches_tracked')}
    converted = convert_countseg_state_dict(old)
    assert converted['backbone.bn1.num_batches_tracked'] == 0
    make_counter(20).load_state_dict(converted)


def test_the_width_of_the_branches_is_that_of_the_file(voc_state):
    generator = torch.Generator().manual_seed(0)
    for key in list(voc_state):
        if 'classifier' in key or 'addedmodule' in key:
            shape = [dict([(60, 16), (30, 8), (20, 3)]).get(size, size) for size in voc_state[key].shape]
            filled = torch.rand(shape, generator=generator)
            voc_state[key] = filled.to(voc_state[key].dtype)
    converted = convert_countseg_state_dict(voc_state)
    assert converted['head.shared_conv.weight'].shape[0] == 16
    assert converted['head.density_branch.2.weight'].shape == (3, 8, 1, 1)
    assert converted['calibration.scale'].shape == (3,)


def change(state, key, value):
    state['module.' + key] = value


MISTAKES = {
    'missing weight': (
        lambda state: state.pop('module.backbond.features.5.1.bn2.running_var'),
        r"missing keys: 'module\.backbond\.features\.5\.1\.bn2\.running_var'",
    ),
    'missing branch': (
        lambda state: state.pop('module.addedmodule.branch1.2.weight'),
        r"missing keys: 'module\.addedmodule\.branch1\.2\.weight'",
    ),
    'unknown layer': (
        lambda state: change(state, 'addedmodule.branch3.0.weight', torch.ones(1)),
        r"unexpected keys that no rule names: 'module\.addedmodule\.branch3\.0\.weight'",
    ),
    'unknown weight of a known layer': (
        lambda state: change(state, 'backbond.features.0.bias', torch.ones(64)),
        r"unexpected keys: 'module\.backbond\.features\.0\.bias'",
    ),
    'another shape': (
        lambda state: change(state, 'backbond.features.0.weight', torch.ones(64, 3, 3, 3)),
        r'module\.backbond\.features\.0\.weight is \(64, 3, 3, 3\), expected \(64, 3, 7, 7\)',
    ),
    'branches of two numbers of classes': (
        lambda state: change(state, 'addedmodule.branch2.2.bias', torch.ones(21)),
        r'branch2\.2\.bias is \(21,\), expected \(20,\)',
    ),
    'an odd number of channels': (
        lambda state: change(state, 'backbond.classifier.0.weight', torch.ones(61, 2048, 1, 1)),
        'has 61 output channels',
    ),
    'no convolution': (
        lambda state: change(state, 'backbond.classifier.0.weight', torch.ones(60)),
        'must have four dimensions',
    ),
    'integers': (
        lambda state: change(state, 'backbond.features.1.bias', torch.ones(64, dtype=torch.long)),
        r'features\.1\.bias is torch\.int64, expected torch\.float32',
    ),
    'no tensor': (
        lambda state: change(state, 'backbond.features.1.bias', [0.0] * 64),
        r"'module\.backbond\.features\.1\.bias' must be a tensor, found list",
    ),
    'a block too many': (
        lambda state: change(state, 'backbond.features.7.3.conv1.weight', torch.ones(512, 2048, 1, 1)),
        r'no ResNet has stages of \[3, 4, 6, 4\] bottleneck blocks',
    ),
    'two networks': (
        lambda state: state.update({'backbond.features.0.weight': torch.ones(64, 3, 7, 7)}),
        "more than one network, or in different wrappers: '', 'module.'",
    ),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_what_does_not_fit_is_named(voc_state, name):
    spoil, message = MISTAKES[name]
    spoil(voc_state)
    with pytest.raises(ValueError, match=message):
        convert_countseg_state_dict(voc_state)


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match=r"no weights of CountSeg.*'conv1\.weight'"):
        convert_countseg_state_dict({'conv1.weight': torch.ones(1)})


def torchvision_state(voc):
    names = {0: 'conv1', 1: 'bn1', 4: 'layer1', 5: 'layer2', 6: 'layer3', 7: 'layer4'}
    state = OrderedDict()
    for key, value in voc.backbond.features.state_dict().items():
        index, _, rest = key.partition('.')
        state[f'{names[int(index)]}.{rest}'] = value
    return state | {'fc.weight': torch.zeros(1000, 2048), 'fc.bias': torch.zeros(1000)}


def test_a_resnet_of_torchvision_becomes_the_backbone(voc):
    converted = convert_torchvision_resnet_state_dict(torchvision_state(voc))
    backbone = make_counter(20).backbone
    backbone.load_state_dict({key.removeprefix('backbone.'): value for key, value in converted.items()})
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[0], voc.backbond.features(images), atol=1e-5, rtol=1e-5)
    spoiled = torchvision_state(voc)
    del spoiled['layer3.2.bn1.weight']
    with pytest.raises(ValueError, match=r"missing keys: 'layer3\.2\.bn1\.weight'"):
        convert_torchvision_resnet_state_dict(spoiled)
    with pytest.raises(ValueError, match='no ResNet of torchvision'):
        convert_torchvision_resnet_state_dict({'features.0.weight': torch.ones(1)})


@pytest.mark.parametrize(('numbers', 'last', 'depth'), [((2, 2, 2, 2), 'conv2', 18), ((3, 4, 23, 3), 'conv3', 101)])
def test_the_depth_is_read_from_the_blocks(numbers, last, depth):
    state = {}
    for stage, number in enumerate(numbers, start=1):
        for block in range(number):
            state |= {f'layer{stage}.{block}.{conv}.weight': torch.ones(1) for conv in ('conv1', last)}
    assert resnet_depth(state) == depth


class Pickled:
    """Any object that is not made of tensors and containers."""


def save(path, content):
    torch.save(content, path)
    return path


def test_pickled_objects_are_read_on_demand_only(tmp_path, voc_state):
    path = save(tmp_path / 'model.pt', dict(model=dict(voc_state), args=Pickled()))
    with pytest.raises(ValueError, match=r'model\.pt holds pickled objects \(.*Pickled\).*--allow-pickle'):
        read_state_dict(path)
    assert read_state_dict(path, allow_pickle=True).keys() == voc_state.keys()


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'absent\.pt'):
        read_state_dict(tmp_path / 'absent.pt')
    (tmp_path / 'empty.pt').touch()
    (tmp_path / 'text.pt').write_text('<html>not found</html>')
    whole = save(tmp_path / 'whole.pt', dict(model={'a': torch.rand(1000)})).read_bytes()
    (tmp_path / 'cut.pt').write_bytes(whole[: len(whole) // 2])
    for name in ('empty.pt', 'text.pt', 'cut.pt'):
        with pytest.raises(ValueError, match=rf'{name} is no checkpoint'):
            read_state_dict(tmp_path / name)
    with pytest.raises(ValueError, match=r"holds no weights.*found \['epoch_idx'\]"):
        read_state_dict(save(tmp_path / 'numbers.pt', dict(epoch_idx=1)))


def run_tool(monkeypatch, *args):
    spec = importlib.util.spec_from_file_location('countseg_to_mmcount', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', ['countseg_to_mmcount', *map(str, args)])
    return tool.main()


def released_file(path, state):
    """As the released trainer saves: the weights beside epoch, batch and optimizer."""
    return save(
        path, dict(epoch_idx=3, batch_idx=1, model=state, optimizer=dict(state={}, param_groups=[dict(lr=1.0)]))
    )


def test_the_tool_writes_a_checkpoint_with_names_and_source(tmp_path, monkeypatch, capsys, voc_state):
    source, out = released_file(tmp_path / 'pascal07.pt', voc_state), tmp_path / 'new' / 'ilc.pth'
    config = tmp_path / 'model.py'
    base = (ROOT / 'configs' / '_base_' / 'models' / 'ilc_r50.py').as_posix()
    config.write_text(f"_base_ = ['{base}']\nmodel = dict(backbone=dict(init_cfg=None))\n")
    assert run_tool(monkeypatch, source, out, '--config', config) == 0
    assert '20 classes, aeroplane to tvmonitor' in capsys.readouterr().out
    content = torch.load(out, weights_only=True)
    make_counter(20).load_state_dict(content['state_dict'])
    meta = content['meta']
    assert meta['dataset_meta']['classes'] == VOCDataset.METAINFO['classes']
    assert meta['source'] == dict(project='GuoleiSun/CountSeg', file='pascal07.pt', sha256=file_sha256(source))
    assert meta['mmcount_version']
    assert Config.fromstring(meta['cfg'], file_format='.py').model.head.num_classes == 20


def test_the_tool_names_the_classes_of_coco_or_those_given(tmp_path, monkeypatch, capsys, voc_state):
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location('tool', TOOL))
    spec.loader.exec_module(module)
    assert module.class_names(80, None)['classes'] == CocoDataset.METAINFO['classes']
    assert module.class_names(3, None) is None
    source = released_file(tmp_path / 'own.pt', voc_state)
    assert run_tool(monkeypatch, source, tmp_path / 'own.pth', '--classes', *map(str, range(20))) == 0
    assert torch.load(tmp_path / 'own.pth', weights_only=True)['meta']['dataset_meta']['classes'][19] == '19'
    assert run_tool(monkeypatch, source, tmp_path / 'two.pth', '--classes', 'cat', 'dog') == 2
    assert 'names 2 classes, the checkpoint has 20' in capsys.readouterr().err
    assert not (tmp_path / 'two.pth').exists()


def test_the_tool_refuses_and_writes_nothing(tmp_path, monkeypatch, capsys, voc_state):
    source = released_file(tmp_path / 'pascal07.pt', voc_state)
    before = source.read_bytes()
    config = ROOT / 'configs' / '_base_' / 'models' / 'ilc_r50.py'
    other = tmp_path / 'other.py'
    other.write_text(
        f"_base_ = ['{config.as_posix()}']\nmodel = dict(backbone=dict(init_cfg=None), head=dict(num_classes=3))\n"
    )
    for args, message in (
        ((tmp_path / 'absent.pt', tmp_path / 'a.pth'), 'weights not found'),
        ((source, source), 'would replace'),
        ((source, tmp_path / 'a.pth', '--config', other), 'do not fit the model of'),
    ):
        assert run_tool(monkeypatch, *args) == 2
        assert message in capsys.readouterr().err
    assert source.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {'pascal07.pt', 'other.py'}


def test_the_tool_takes_a_backbone_of_torchvision(tmp_path, monkeypatch, capsys, voc):
    source, out = save(tmp_path / 'resnet50.pth', torchvision_state(voc)), tmp_path / 'backbone.pth'
    assert run_tool(monkeypatch, source, out) == 0
    counter = make_counter(20)
    counter.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(out), prefix='backbone.')
    counter.init_weights()
    torch.testing.assert_close(counter.backbone.conv1.weight, voc.backbond.features[0].weight)
    assert run_tool(monkeypatch, source, out, '--classes', 'cat') == 2
    assert 'backbone only' in capsys.readouterr().err
