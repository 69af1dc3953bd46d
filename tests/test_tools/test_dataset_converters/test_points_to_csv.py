import importlib.util
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mmcount.datasets import PointsCSVDataset

ROOT = Path(__file__).resolve().parents[3]
CONFIG = ROOT / 'configs' / '_base_' / 'datasets' / 'qnrf.py'


def load():
    path = ROOT / 'tools' / 'dataset_converters' / 'points_to_csv.py'
    spec = importlib.util.spec_from_file_location('points_to_csv', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path):
    for part, number in (('Train', 5), ('Test', 2)):
        folder = tmp_path / 'data' / part
        folder.mkdir(parents=True)
        for index in range(number):
            cv2.imwrite(str(folder / f'img_{index:04d}.jpg'), np.zeros((24, 32, 3), np.uint8))
            points = np.arange(2 * index).reshape(-1, 2) + 0.25
            savemat(folder / f'img_{index:04d}_ann.mat', dict(annPoints=points))
    return tmp_path / 'data'


def run(monkeypatch, data, out, *arguments):
    options = [
        f'{phase}_dataloader.dataset.{option}'
        for phase in ('train', 'test')
        for option in (f'data_root={data}', 'boxes_file=None')
    ]
    monkeypatch.setattr(sys, 'argv', ['points_to_csv', str(CONFIG), str(out), *arguments, '--cfg-options', *options])
    return load().main()


@pytest.mark.parametrize(('phase', 'number', 'points'), [('train', 4, None), ('test', 2, [0, 1])])
def test_the_printed_config_reads_the_written_files(tmp_path, data, monkeypatch, capsys, phase, number, points):
    out = tmp_path / 'out'
    assert run(monkeypatch, data, out, '--phase', phase) == 0
    printed = capsys.readouterr().out.splitlines()
    config = next(line for line in printed if line.startswith('dict('))
    arguments = eval(config, {'dict': dict})
    assert arguments.pop('type') == 'mmcount.PointsCSVDataset'
    dataset = PointsCSVDataset(**arguments)
    assert len(dataset) == number
    assert f'{dataset.class_counts().sum()} points of {number} images in {out}; to read them:' in printed
    if points:
        assert dataset.class_counts().ravel().tolist() == points
        assert dataset.get_data_info(1)['points'].tolist() == [[0.25, 1.25]]


def test_data_that_are_not_there_write_nothing(tmp_path, data, monkeypatch, capsys):
    assert run(monkeypatch, tmp_path / 'nowhere', tmp_path / 'out') == 2
    assert 'ERROR: UCF-QNRF' in capsys.readouterr().err
    assert run(monkeypatch, data, tmp_path / 'out', '--image-root', str(data / 'Test')) == 2
    assert 'is not below' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
