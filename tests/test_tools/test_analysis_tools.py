import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools'


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path, *records, age=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\n'.join(map(json.dumps, records)))
    os.utime(path, (1_000_000 - age, 1_000_000 - age))


def test_the_report_prints_the_newest_record_and_never_mixes_two(tmp_path, capsys, monkeypatch):
    write(tmp_path / 'run' / 'test.json', {'count/MAE': 9.0, 'count/MAE_mean_baseline': 50.0}, age=10)
    write(tmp_path / 'run' / 'vis_data' / 'scalars.json', {'count/MAE': 4.0}, {'count/MAE': 3.0}, {'loss': 1.0})
    (tmp_path / 'best_count_MAE.pth').touch()
    (tmp_path / 'vis_data').mkdir()
    (tmp_path / 'vis_data' / 'curves.png').touch()
    monkeypatch.setattr(sys, 'argv', ['report', str(tmp_path)])
    load('quickstart_report').main()
    printed = capsys.readouterr().out
    assert 'validation images' in printed
    assert '3.000' in printed
    assert '50.000' not in printed
    assert 'best_count_MAE.pth' in printed
    assert 'curves.png' in printed


def test_the_report_ends_with_the_places(tmp_path):
    metrics = {
        'count/MAE': 0.5,
        'count/MAE_mean_baseline': 7.25,
        'count/RMSE': 0.75,
        'loc/MAE': 0.25,
        'loc/F1_sigma12': 0.75,
        'loc/F1_sigma7': 0.5,
        'loc/F1_sigma1to100': 0.125,
    }
    rows = [line.split() for line in load('quickstart_report').table(metrics).splitlines()[1:]]
    assert rows == [
        ['MAE', '0.500', '7.250'],
        ['RMSE', '0.750', 'not', 'measured'],
        ['MAE', 'of', 'points', '0.250'],
        ['F1', 'of', 'points,', '7', 'px', '0.500'],
        ['F1', 'of', 'points,', '12', 'px', '0.750'],
    ]


def test_the_report_of_a_folder_without_numbers_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['report', str(tmp_path)])
    with pytest.raises(SystemExit, match=r'no run in .* logged the metric count/MAE'):
        load('quickstart_report').main()


def test_counts_of_classes_are_added_up_for_each_image(tmp_path):
    path = tmp_path / 'counts.csv'
    path.write_text('img_id,class,gt,pred,lo,hi\na,cat,1,1.5,1,2\na,dog,2,2.5,2,3\nb,cat,0,0,0,1\nb,dog,1,0,0,1\n')
    tool = load('plot_counts')
    pred, true, interval = tool.read_counts(path)
    assert (pred.tolist(), true.tolist()) == ([4.0, 0.0], [3.0, 1.0])
    assert np.isnan(interval).all()
    assert tool.read_counts(path, 'cat')[2].tolist() == [[1.0, 2.0], [0.0, 1.0]]


def test_errors_by_count_are_drawn_from_the_pairs_of_the_file(tmp_path, capsys, monkeypatch):
    path, out = tmp_path / 'counts.csv', tmp_path / 'by_count.png'
    path.write_text('img_id,class,gt,pred,lo,hi\na,cat,1,1.5,1,2\na,dog,2,2.5,,\nb,cat,0,-0.6,,\nb,dog,1,0,,\n')
    tool = load('plot_counts')
    pred, true, interval = tool.read_counts(path, add_up=False)
    assert (pred.tolist(), true.tolist()) == ([1.5, 2.5, -0.6, 0.0], [1.0, 2.0, 0.0, 1.0])
    assert interval[0].tolist() == [1.0, 2.0]
    tables = []
    monkeypatch.setattr(tool, 'plot_errors_by_count', lambda table, *_: tables.append(table))
    for options in ([], ['--rounding', 'half_away', '--clamp'], ['--class', 'dog']):
        monkeypatch.setattr(sys, 'argv', ['plot_counts', str(path), str(out), '--by-count', *options])
        tool.main()
        assert str(out) in capsys.readouterr().out
    biases = [[errors['bias'] for _, _, errors in table] for table in tables]
    assert biases == [[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0]]
    monkeypatch.undo()
    monkeypatch.setattr(sys, 'argv', ['plot_counts', str(path), str(out), '--by-count'])
    load('plot_counts').main()
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('img_id,gt\na,1\n', 'missing'),
        ('img_id,class,gt,pred\na,cat,one,1\n', 'line 2'),
        ('img_id,class,gt,pred\n', 'no image'),
    ],
)
def test_another_table_is_refused(tmp_path, text, message):
    path = tmp_path / 'counts.csv'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load('plot_counts').read_counts(path)
