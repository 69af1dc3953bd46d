"""Pseudo boxes of whole data sets: sizes, files, bad images, interruptions."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmcount.apis import pseudo_boxes as module
from mmcount.apis.growing_files import partial_path
from mmcount.apis.pseudo_boxes import PseudoBoxer, point_datasets, report_text, write_pseudo_boxes
from mmcount.datasets import PointsCSVDataset, ShanghaiTechA
from mmcount.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools' / 'dataset_converters' / 'pseudo_boxes.py'
CONFIG = """
default_scope = 'mmcount'
codec = dict(type='mmcount.ScaleMapCodec', window=9, step=4, min_log_area=2, stride=1)
model = dict(
    type='mmcount.DenseCounter',
    data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=16),
    backbone=dict(
        type='mmdet.ResNet', depth=18, deep_stem=True, stem_channels=8, base_channels=8, num_stages=1, strides=(1,),
        dilations=(1,), out_indices=(0,), style='pytorch',
    ),
    head=dict(type='mmcount.ScaleMapHead', codec=codec, in_channels=8, feat_channels=(8,), upsample=4),
    test_cfg=dict(tiles=dict(mode='average', size=(32, 48), divisor=16, whole_below=0)),
)
test_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
    dict(type='mmcount.PackCountInputs', image_counts='annotations'),
]
"""
POINTS = {'a.png': [(10, 20), (60, 30)], 'b.png': [(30.25, 5)], 'c/d.png': [(40, 40)]}


@pytest.fixture
def network(tmp_path):
    """Config and weights of a network that says 100 px^2 everywhere."""
    config, weights = tmp_path / 'scale.py', tmp_path / 'scale.pth'
    config.write_text(CONFIG)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    model.head.attention.out.weight.data.zero_()
    model.head.attention.out.bias.data.fill_(math.log(100.5))
    torch.save(dict(state_dict=model.state_dict()), weights)
    return config, weights


@pytest.fixture
def data(tmp_path):
    """Images of 80 x 64 px and their points; e.png has none."""
    root = tmp_path / 'data'
    (root / 'c').mkdir(parents=True)
    for name in (*POINTS, 'e.png'):
        cv2.imwrite(str(root / name), np.full((64, 80, 3), 90, np.uint8))
    rows = [f'{name},{x},{y}' for name, points in POINTS.items() for x, y in points]
    (root / 'points.csv').write_text('\n'.join(['image,x,y', *rows]) + '\n')
    return PointsCSVDataset(data_root=str(root), metainfo=dict(classes=('head',)))


def read_lines(path):
    return path.read_text().splitlines()


def test_boxes_are_around_the_points_in_pixels_of_the_image(network, data):
    for scale, side in ((1.0, 10), (2.0, 5)):
        boxer = PseudoBoxer(*network, device='cpu', scale=scale)
        boxes = boxer(data.get_data_info(0))
        np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], side)
        np.testing.assert_allclose((boxes[:, :2] + boxes[:, 2:] - 1) / 2, POINTS['a.png'])
    assert boxer(dict(img_path='absent.png', points=np.zeros((0, 2)), labels=[])).shape == (0, 4)


def test_the_network_sees_no_more_than_a_tile(network, data):
    boxer, seen = PseudoBoxer(*network, device='cpu'), []
    boxer.model.backbone.register_forward_hook(lambda layer, inputs, output: seen.append(tuple(inputs[0].shape[2:])))
    boxer(data.get_data_info(0))
    assert set(seen) == {(32, 48)}
    assert len(seen) == 4


def test_the_table_feeds_the_data_sets(network, data, tmp_path):
    out = tmp_path / 'out' / 'boxes.csv'
    report = write_pseudo_boxes(PseudoBoxer(*network, device='cpu'), [data], out, show_progress=False)
    assert (report.images, report.boxes, report.failed) == (4, 4, {})
    assert read_lines(out)[:2] == ['image,x,y,class,x1,y1,x2,y2', 'a.png,10,20,head,5.5,15.5,15.5,25.5']
    assert not partial_path(out).exists()
    again = PointsCSVDataset(ann_file=str(out), data_root=data.data_root)
    for index in range(4):
        one, two = data.get_data_info(index), again.get_data_info(index)
        assert one['points'].tolist() == two['points'].tolist()
        assert two['bboxes'].shape == (len(one['points']), 4)
    meta = json.loads(Path(f'{out}.meta.json').read_text())
    assert (meta['window'], meta['scale'], meta['failed']) == (9, 1.0, {})
    assert len(meta['weights_sha256']) == 64


def test_a_bad_image_is_reported_and_tried_again(network, data, tmp_path):
    out, bad = tmp_path / 'boxes.csv', Path(data.data_root) / 'b.png'
    good = bad.read_bytes()
    bad.write_bytes(good[:40])
    boxer = PseudoBoxer(*network, device='cpu')
    report = write_pseudo_boxes(boxer, [data], out, show_progress=False)
    assert list(report.failed) == ['b.png']
    assert (report.images, report.boxes) == (3, 3)
    assert 'no boxes: b.png: ' in report_text(report)
    assert 'b.png' in json.loads(Path(f'{out}.meta.json').read_text())['failed']
    assert not any(line.startswith('b.png') for line in read_lines(out))
    bad.write_bytes(good)
    report = write_pseudo_boxes(boxer, [data], out, resume=True, show_progress=False)
    assert report.failed == {}
    assert len(read_lines(out)) == 5


def test_an_interrupted_run_goes_on_to_the_same_table(network, data, tmp_path, monkeypatch):
    whole, cut = tmp_path / 'whole.csv', tmp_path / 'cut.csv'
    boxer = PseudoBoxer(*network, device='cpu')
    write_pseudo_boxes(boxer, [data], whole, show_progress=False)
    seen, make_rows = [], module._rows

    def interrupted(name, *args):
        if name == 'c/d.png':
            raise KeyboardInterrupt
        return make_rows(name, *args)

    monkeypatch.setattr(module, '_rows', interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_pseudo_boxes(boxer, [data], cut, show_progress=False)
    assert not cut.exists()
    with partial_path(cut).open('a') as stream:
        stream.write('c/d.png,40,40,head,35.5,35.5,45.5,4')  # cut in its last number
    monkeypatch.setattr(module, '_rows', lambda name, *args: seen.append(name) or make_rows(name, *args))
    write_pseudo_boxes(boxer, [data], cut, resume=True, show_progress=False)
    assert seen == ['c/d.png', 'e.png']
    assert cut.read_text() == whole.read_text()
    other = PseudoBoxer(*network, device='cpu', window=11)
    with pytest.raises(ValueError, match=r"was made with \{'window': 9\}, not with \{'window': 11\}"):
        write_pseudo_boxes(other, [data], cut, resume=True, show_progress=False)
    assert not partial_path(cut).exists()
    assert cut.read_text() == whole.read_text()


def test_wrong_networks_and_options_are_refused(network, tmp_path):
    with pytest.raises(ValueError, match='scale must be positive'):
        PseudoBoxer(*network, scale=0)
    with pytest.raises(ValueError, match='codec options are'):
        PseudoBoxer(*network, stride=2)
    with pytest.raises(ValueError, match='window must be odd'):
        PseudoBoxer(*network, device='cpu', window=8)
    text = CONFIG.replace('mmcount.ScaleMapHead', 'mmcount.DensityMapHead').replace(', upsample=4', '')
    (tmp_path / 'other.py').write_text(text.replace('mmcount.ScaleMapCodec', 'mmcount.DensityCodec').replace(
        'window=9, step=4, min_log_area=2, stride=1', 'stride=4'))  # fmt: skip
    with pytest.warns(UserWarning, match='no weights'), pytest.raises(ValueError, match='need a counter with a Scale'):
        PseudoBoxer(tmp_path / 'other.py', None, device='cpu')


def test_data_sets_are_read_with_every_head(tmp_path, trees_config):
    datasets = point_datasets(Config.fromfile(trees_config), ('train', 'test'))
    assert [type(one) for one in datasets] == [ShanghaiTechA, ShanghaiTechA]
    assert [one.outside for one in datasets] == ['keep', 'keep']
    assert datasets[0].boxes_file is None
    with pytest.raises(ValueError, match='has no val_dataloader'):
        point_datasets(Config.fromfile(trees_config), ('val',))


@pytest.fixture
def trees_config(tmp_path):
    """A config of ShanghaiTech, whose training data asks for boxes that are not there yet."""
    from scipy.io import savemat

    root = tmp_path / 'part_A'
    for part in ('train', 'test'):
        (root / f'{part}_data' / 'images').mkdir(parents=True)
        (root / f'{part}_data' / 'ground-truth').mkdir()
        cv2.imwrite(str(root / f'{part}_data' / 'images' / 'IMG_1.jpg'), np.full((64, 80, 3), 90, np.uint8))
        info = np.empty((1, 1), object)
        heads = np.array([[10.0, 20.0], [10.0, 20.0], [79.9, 30.0]])
        info[0, 0] = np.array([[(heads, np.array([[3]]))]], dtype=[('location', object), ('number', object)])
        savemat(root / f'{part}_data' / 'ground-truth' / 'GT_IMG_1.mat', dict(image_info=info))
    path = tmp_path / 'sha.py'
    common = f"type='mmcount.ShanghaiTechA', data_root={str(root)!r}"
    path.write_text(
        f"train_dataloader = dict(dataset=dict({common}, subset='trainval', outside='drop', boxes_file='boxes.csv'))\n"
        f"test_dataloader = dict(dataset=dict({common}, subset='test'))\n"
    )
    return path


def run_tool(monkeypatch, *args):
    spec = importlib.util.spec_from_file_location('pseudo_boxes_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', ['pseudo_boxes', *map(str, args)])
    return tool.main()


def test_the_tool_makes_what_shanghaitech_reads(network, trees_config, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'part_A' / 'boxes.csv'
    args = (*network, out, '--data', trees_config, '--phase', 'train', 'test', '--device', 'cpu')
    assert run_tool(monkeypatch, *args) == 0
    assert '6 boxes of 2 images' in capsys.readouterr().out
    for subset in ('trainval', 'test'):
        dataset = ShanghaiTechA(data_root=tmp_path / 'part_A', subset=subset, boxes_file='boxes.csv', outside='drop')
        assert dataset.get_data_info(0)['bboxes'].tolist() == [[5.5, 15.5, 15.5, 25.5]] * 2


def test_the_tool_takes_a_table_of_points_and_says_what_is_wrong(network, data, tmp_path, monkeypatch, capsys):
    points, out = Path(data.data_root) / 'points.csv', tmp_path / 'boxes.csv'
    args = ('--points', points, '--device', 'cpu')
    assert run_tool(monkeypatch, *network, out, *args) == 0
    assert '4 boxes of 4 images' in capsys.readouterr().out
    (Path(data.data_root) / 'a.png').write_bytes(b'')
    (Path(data.data_root) / 'a.png').write_bytes(
        cv2.imencode('.png', np.zeros((64, 80, 3), np.uint8))[1].tobytes()[:60]
    )
    assert run_tool(monkeypatch, *network, out, *args) == 1
    assert 'no boxes: a.png' in capsys.readouterr().out
    assert run_tool(monkeypatch, network[0], tmp_path / 'absent.pth', out, *args) == 2
    assert 'weights not found' in capsys.readouterr().err
