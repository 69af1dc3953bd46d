import csv
import json

import pytest


@pytest.fixture
def model(counter_files):
    return '--model', counter_files[1], '--device', 'cpu'


def rows_of(path):
    with open(path, encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def test_a_folder_gives_table_objects_overlays_and_json(run, model, photos, tmp_path):
    files = {name: tmp_path / name for name in ('counts.csv', 'objects.csv', 'r.json', 'coco.json', 'overlays')}
    options = zip(('--out', '--objects', '--json', '--coco', '--overlay'), files.values(), strict=True)
    result = run('count', photos, *model, *(part for pair in options for part in pair))
    assert result.exit_code == 1, result.output  # one image is broken
    lines = result.stdout.splitlines()
    assert lines[0].startswith('b.png: ')
    assert lines[2].startswith('x/broken.png: FAILED: ')
    assert lines[4].startswith('3 images counted in ')
    assert lines[5].startswith('1 image failed: x/broken.png (')
    assert lines[6] == '1 file left out: .txt 1'
    assert lines[7] == f'counts: {files["counts.csv"]}'
    rows = rows_of(files['counts.csv'])
    assert [row['image'] for row in rows] == ['b.png', 'x/a.jpg', 'x/broken.png', 'y/a.jpg']
    assert (rows[0]['region'], rows[0]['class'], rows[0]['lo'], rows[2]['count']) == ('whole', 'cell', '', '')
    assert [one['image'] for one in json.loads(files['r.json'].read_text())][2] == 'x/broken.png'
    assert len(json.loads(files['coco.json'].read_text())['images']) == 3
    pictures = sorted(path.relative_to(files['overlays']).as_posix() for path in files['overlays'].rglob('*.png'))
    assert pictures == ['b.png.png', 'x/a.jpg.png', 'y/a.jpg.png']
    assert not list(tmp_path.glob('*.partial'))


def test_images_without_a_fault_give_0_and_quiet_prints_nothing(run, model, photos):
    result = run('count', photos / 'b.png', photos / 'y' / 'a.jpg', *model, '--quiet', '--tile', 'auto')
    assert (result.exit_code, result.stdout) == (0, '')
    result = run('count', photos, *model, '-q')
    assert (result.exit_code, result.stdout) == (1, '')
    assert '1 image failed: x/broken.png' in result.stderr


def test_an_interrupted_table_is_continued(run, model, photos, tmp_path):
    target = tmp_path / 'c.csv'
    run('count', photos, *model, '--out', target)
    text = target.read_text()
    (tmp_path / 'c.csv.partial').write_text(''.join(text.splitlines(keepends=True)[:2]))
    result = run('count', photos, *model, '--out', target, '--resume')
    assert '2 images counted, 1 before' in result.stdout
    assert target.read_text() == text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['gone'], "no such file or folder: 'gone'"),
        (['.', '--scale', '0'], 'scale must be above 0'),
        (['.', '--tile', 'big'], "got 'big'"),
        (['.', '--resume'], 'resume needs csv'),
        (['.', '--object-size', '12'], 'does not say how large'),
        (['.', '--calibrate'], 'No such option'),
        (['.', '--precision', 'fp8'], 'fp8'),
    ],
)
def test_wrong_use_is_told_and_gives_2(run, model, photos, monkeypatch, arguments, message):
    monkeypatch.chdir(photos)
    result = run('count', *arguments, *model)
    assert result.exit_code == 2
    assert message in ' '.join(result.stderr.split())


@pytest.mark.parametrize('option', ['--out', '--objects', '--json', '--coco', '--overlay'])
def test_outputs_that_cannot_be_written_and_absent_devices_are_told_before_the_model_is_read(
    run, photos, tmp_path, option
):
    blocked = tmp_path / 'file'
    blocked.touch()
    # That the model is no model would be told otherwise.
    result = run('count', photos, '--model', 'no-model', option, blocked / 'below')
    assert result.exit_code == 2
    assert f'cannot write to {blocked / "below"}' in ' '.join(result.stderr.split())
    for device in ('cuda:99', 'gpu', 'meta'):
        result = run('count', photos, '--model', 'no-model', '--device', device)
        assert result.exit_code == 2
        assert f"device '{device}' cannot be used" in result.stderr
        assert result.stderr.count('\n') == 1


def test_models_that_are_not_there_are_told(run, photos):
    assert run('count', photos).exit_code == 2
    result = run('count', photos, '--model', 'no-model')
    assert result.exit_code == 2
    assert "no model is called 'no-model'" in result.stderr
    result = run('count', photos, '--model', 'count-ception_quickstart_mnist-lego')
    assert result.exit_code == 2
    assert 'no weights are published' in result.stderr
    result = run('count', photos, '--model', photos / 'b.pth')
    assert 'weights not found' in result.stderr


def test_a_line_is_fitted_saved_and_counted_with(run, model, photos, tmp_path):
    labels = tmp_path / 'few.csv'
    labels.write_text('image,count\nb.png,5\nx/a.jpg,9\ny/a.jpg,7\n')
    mine, table = tmp_path / 'mine.pth', tmp_path / 'c.csv'
    result = run('count', photos, *model, '--fit', labels, '--save', mine, '--out', table)
    assert result.exit_code == 1, result.output
    assert result.stdout.startswith('line on 3 images: cell = ')
    assert rows_of(table)[0]['model'] == 'mine'
    again = run('count', photos, '--model', mine, '--device', 'cpu', '--calibrated', '--out', tmp_path / 'd.csv')
    assert again.exit_code == 1
    assert [row['count_float'] for row in rows_of(tmp_path / 'd.csv')] == [row['count_float'] for row in rows_of(table)]
    assert 'belong together' in run('count', photos, *model, '--fit', labels).stderr
