"""The tool that scores other people's files of points."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).resolve().parents[3] / 'tools' / 'analysis_tools' / 'score_points.py'


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location('score_points', PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def files(tmp_path):
    """Radii 3 and 5 px around (10, 10), 30 and 50 px around (100, 100); the third image has no head."""
    pred, truth = tmp_path / 'pred.txt', tmp_path / 'truth.txt'
    truth.write_text('1 2 10 10 3 5 1 100 100 30 50 3\n2 1 50 50 3 5 1\n3 0\n')
    pred.write_text('2 1 50.0 54.0\n1 3 13 10 100 145 300 300\n3 2 5 5 6 6\n')
    return pred, truth


def run(tool, monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['score_points', *map(str, arguments)])
    tool.main()


def test_the_numbers_of_the_files_are_printed_and_written(tool, files, tmp_path, capsys, monkeypatch):
    out = tmp_path / 'new' / 'scores.json'
    run(tool, monkeypatch, *files, '--sigmas', '4', '8', '--sigma-range', '1', '4', '--out', out)
    metrics = json.loads(out.read_text())
    expected = {'P_l': 1 / 2, 'R_l': 1, 'F1_l': 2 / 3, 'P_s': 1 / 6, 'R_s': 1 / 3, 'MAE': 1, 'NAE': 1 / 4, 'A_mean': 1}
    expected |= {'R_sigma4': 2 / 3, 'R_sigma1to4': (0 + 0 + 1 + 2) / 3 / 4, 'negative_MAE': 2}
    assert {key: metrics[key] for key in expected} == pytest.approx(expected)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].split() == ['sigma_l', '66.67', '50.00', '100.00']
    assert printed[2].split() == ['sigma_s', '22.22', '16.67', '33.33']
    assert [line.split()[0] for line in printed[3:6]] == ['sigma4', 'sigma8', 'sigma1to4']
    assert 'A1 100.00  A3 100.00  A_mean 100.00' in printed[6]
    assert 'MAE 1.0000' in printed[7]
    assert 'images 1  MAE 2' in printed[8]


def test_points_without_radii_need_fixed_ones(tool, files, capsys, monkeypatch):
    pred, truth = files
    truth.write_text('1 2 10 10 100 100\n2 1 50 50\n3 0\n')
    with pytest.raises(SystemExit, match='the heads have no sigmas: --sigmas or --sigma-range is needed'):
        run(tool, monkeypatch, pred, truth)
    run(tool, monkeypatch, pred, truth, '--sigmas', '4')
    assert capsys.readouterr().out.splitlines()[1].split() == ['sigma4', '44.44', '33.33', '66.67']


def test_files_of_other_images_are_refused(tool, files, capsys, monkeypatch):
    pred, truth = files
    pred.write_text('1 0\n2 0\n')
    with pytest.raises(SystemExit, match=r'1 of the 3 images of .* are missing, the first is 3'):
        run(tool, monkeypatch, pred, truth)
    run(tool, monkeypatch, pred, truth, '--missing-as-empty')
    assert 'MAE 1.0000' in capsys.readouterr().out
    pred.write_text('1 0\n2 0\n3 0\n4 0\n')
    with pytest.raises(SystemExit, match=r'1 images are not in .*, the first is 4'):
        run(tool, monkeypatch, pred, truth)
    with pytest.raises(SystemExit, match=r'ERROR: .*No such file'):
        run(tool, monkeypatch, pred, truth.with_name('other.txt'))


def test_lists_with_fixed_radii_in_their_columns(tool, tmp_path):
    """FIDTM's form: sigma_s 4 and sigma_l 8 for every head, all of level 1, blanks at the end of a line."""
    rng = np.random.default_rng(0)
    heads = {name: np.floor(rng.random((number, 2)) * 60) for name, number in (('1', 40), ('10', 0), ('2', 7))}
    pred = {name: np.floor(one + rng.normal(0, 4, one.shape)) for name, one in heads.items()}
    rows = [[name, len(one), *(f'{x:g} {y:g} 4 8 1' for x, y in one)] for name, one in heads.items()]
    (tmp_path / 'A_gt.txt').write_text(''.join(' '.join(map(str, row)) + ' \n' for row in rows))
    rows = [[name, len(one), *(f'{x:g} {y:g}' for x, y in one)] for name, one in pred.items()]
    (tmp_path / 'A_pred.txt').write_text(''.join(' '.join(map(str, row)) + ' \n' for row in rows))
    metrics = tool.score_files(tmp_path / 'A_pred.txt', tmp_path / 'A_gt.txt', sigmas=(4, 8))
    for score in ('F1', 'P', 'R'):
        assert metrics[f'{score}_s'] == metrics[f'{score}_sigma4']
        assert metrics[f'{score}_l'] == metrics[f'{score}_sigma8']
    assert 0 < metrics['F1_s'] < metrics['F1_l'] < 1
    assert metrics['A1'] == metrics['R_l']
