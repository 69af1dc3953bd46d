import csv
import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'count_images.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('count_images', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tool, monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr('sys.argv', ['count_images.py', *map(str, arguments), '--device', 'cpu'])
        code = tool.main()
        return code, capsys.readouterr()

    return call


def model(files):
    return '--config', files[0], '--weights', files[1]


def rows_of(path):
    with open(path, encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def test_a_folder_gives_lines_totals_csv_and_overlays(run, counter_files, photos, tmp_path):
    out = tmp_path / 'out'
    code, text = run(photos, *model(counter_files), '--out-dir', out, '--objects-csv')
    assert code == 1  # one image is broken
    # Packages that are imported on the way may print lines of their own.
    lines = [line for line in text.out.splitlines() if 'OneDL' not in line]
    assert lines[0].startswith('b.png: ')
    assert lines[2].startswith('x/broken.png: FAILED: ')
    assert lines[4].startswith('3 images counted in ')
    assert ': cell ' in lines[4]
    assert lines[5].startswith('1 image failed: x/broken.png (cannot decode')
    assert lines[6] == '1 file left out: .txt 1'
    assert len(rows_of(out / 'counts.csv')) == 4
    assert (out / 'objects.csv').is_file()
    assert len(list((out / 'vis').rglob('*.png'))) == 3


def test_resume_counts_only_what_is_left(run, counter_files, photos, tmp_path):
    target = tmp_path / 'c.csv'
    run(photos, *model(counter_files), '--csv', target)
    lines = target.read_text().splitlines(keepends=True)
    Path(f'{target}.partial').write_text(''.join(lines[:2]))
    code, text = run(photos, *model(counter_files), '--csv', target, '--resume')
    assert code == 1
    assert '2 images counted, 1 before' in text.out
    assert target.read_text() == ''.join(lines)


def test_images_that_can_be_counted_give_status_0(run, counter_files, photos):
    code, text = run(photos / '*' / 'a.jpg', *model(counter_files), '--precision', 'bf16', '--tile', 'auto')
    assert code == 0
    assert '2 images counted' in text.out


def test_a_detector_says_when_its_limit_was_reached(run, detector_files, photos):
    code, text = run(photos / 'b.png', *model(detector_files), '--score-thr', '0')
    assert code == 0
    assert 'b.png: 5 (' in text.out
    assert 'or more: the limit of the model was reached' in text.out
    assert '1 image reached the limit of the model, so that the count is a lower bound: b.png' in text.out


def test_wrong_arguments_are_told_in_one_line(run, counter_files, photos):
    code, text = run(photos / 'none', *model(counter_files))
    assert code == 2
    assert text.err.splitlines()[-1].startswith('ERROR: no such file or folder')
    code, text = run(photos, '--weights', photos / 'none.pth')
    assert code == 2
    assert 'weights not found' in text.err
    code, text = run(photos, *model(counter_files), '--tile', '12x')
    assert code == 2
    assert "got '12x'" in text.err
    with pytest.raises(SystemExit):
        run(photos)
    with pytest.raises(SystemExit):
        run(photos, *model(counter_files), '--resume')
