import csv
import json
from contextlib import redirect_stdout, suppress
from io import StringIO

import numpy as np
import pytest
from pycocotools.coco import COCO

from mmcount.apis.growing_files import partial_path
from mmcount.apis.layouts import COUNT_COLUMNS, OBJECT_COLUMNS, count_rows, object_rows
from mmcount.apis.result_files import ResultFiles
from mmcount.apis.results import CountResult

CLASSES = ('cat', 'dog')
ONE_POINT = dict(points=np.ones((1, 2)), labels=np.zeros(1, int), scores=np.ones(1), box_counts=np.ones(1))


def open_files(path, **options):
    return ResultFiles(CLASSES, 'm', 'f00', path, **options)


def good(name='a', value=1.5, **kwargs):
    return CountResult(name, counts={'cat': value, 'dog': 0.0}, width=4, height=3, **kwargs)


def boxed():
    return CountResult(
        'boxed',
        counts={'cat': 0.0, 'dog': 3.0},
        points=np.array([[4.5, 9.5]]),
        labels=np.array([1]),
        scores=np.array([0.75]),
        boxes=np.array([[0.0, 0, 10, 20]]),
        box_counts=np.array([3.0]),
        width=40,
        height=30,
    )


def rows_of(path):
    with open(path, encoding='utf-8', newline='') as stream:
        return list(csv.DictReader(stream))


def table(columns, rows):
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_rows_keep_zeros_and_say_what_they_were_counted_with():
    rows = table(COUNT_COLUMNS, count_rows(good(saturated=True), CLASSES, 'm', 'f00'))
    assert [(row['class'], row['count'], row['count_float']) for row in rows] == [
        ('cat', '2', '1.5000'),
        ('dog', '0', '0.0000'),
    ]
    assert (rows[0]['region'], rows[0]['lo'], rows[0]['saturated'], rows[0]['area_px']) == ('whole', '', 'true', 12)
    assert (rows[1]['model'], rows[1]['weights_sha256'], rows[1]['error']) == ('m', 'f00', '')


def test_bounds_stand_beside_calibrated_counts_only():
    bounds = dict(calibrated_counts={'cat': 1.6, 'dog': 0.0}, interval={'cat': (1, 2), 'dog': (0, 0)})
    raw = table(COUNT_COLUMNS, count_rows(good(**bounds), CLASSES, 'm', ''))[0]
    assert (raw['count_float'], raw['lo'], raw['hi']) == ('1.5000', '', '')
    row = table(COUNT_COLUMNS, count_rows(good(value=1.6, calibrated=True, **bounds), CLASSES, 'm', ''))[0]
    assert (row['count_float'], row['lo'], row['hi']) == ('1.6000', '1.0000', '2.0000')


def test_rows_of_a_failed_image_have_an_error_in_one_line_and_no_count():
    rows = table(COUNT_COLUMNS, count_rows(CountResult('b', error='a\nb'), CLASSES, 'm', ''))
    assert [row['error'] for row in rows] == ['a b', 'a b']
    assert {row['count'] + row['count_float'] + row['saturated'] + row['area_px'] for row in rows} == {''}


def test_objects_have_points_and_boxes():
    row = table(OBJECT_COLUMNS, object_rows(boxed(), CLASSES))[0]
    assert (row['class'], row['x'], row['y'], row['x2'], row['count_in_box']) == ('dog', '4.50', '9.50', '10.00', '3')
    point = table(OBJECT_COLUMNS, object_rows(good(**ONE_POINT), CLASSES))[0]
    assert (point['x'], point['x1']) == ('1.00', '')


def interrupted(path, objects=None, **others):
    """A run that ends in the middle of its third image, after one that failed."""
    with suppress(KeyboardInterrupt), open_files(path, objects_csv=objects, **others) as writer:
        writer.write(good('one, two'))
        writer.write(CountResult('bad', error='broken'))
        writer.write(good('cut', **ONE_POINT))
        raise KeyboardInterrupt
    lines = partial_path(path).read_text().splitlines(keepends=True)
    partial_path(path).write_text(''.join(lines[:-1]) + lines[-1][:12])


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path):
    path = tmp_path / 'new' / 'counts.csv'
    with open_files(path) as writer:
        writer.write(good())
        assert not path.exists()
        assert len(rows_of(partial_path(path))) == 2  # already on its way to the disk
    assert len(rows_of(path)) == 2
    assert not partial_path(path).exists()


def test_an_interrupted_file_is_continued_without_doubles(tmp_path):
    path, objects = tmp_path / 'counts.csv', tmp_path / 'objects.csv'
    interrupted(path, objects)
    assert not path.exists()
    with open_files(path, objects_csv=objects, resume=True) as writer:
        assert writer.done == {'one, two'}
        writer.write(good('bad'))
        writer.write(good('cut'))
    assert [row['image'] for row in rows_of(path)] == ['one, two'] * 2 + ['bad'] * 2 + ['cut'] * 2
    assert rows_of(objects) == []


def test_without_resume_an_interrupted_file_is_started_anew(tmp_path):
    path = tmp_path / 'counts.csv'
    interrupted(path)
    with open_files(path) as writer:
        assert writer.done == set()
    assert rows_of(path) == []


def test_a_file_of_another_model_or_other_classes_is_not_continued(tmp_path):
    path = tmp_path / 'counts.csv'
    interrupted(path)
    with pytest.raises(ValueError, match='cannot be continued'):
        ResultFiles(CLASSES, 'm', 'other', path, resume=True)
    with pytest.raises(ValueError, match='cannot be continued'):
        ResultFiles(('cow',), 'm', 'f00', path, resume=True)
    with pytest.raises(FileNotFoundError, match=r'objects\.csv\.partial is missing'):
        open_files(path, objects_csv=tmp_path / 'objects.csv', resume=True)
    partial_path(path).write_text('image,number\n')
    with pytest.raises(ValueError, match='line 1: expected the columns'):
        open_files(path, resume=True)


def test_results_are_written_as_a_list_and_in_the_layout_of_coco(tmp_path):
    with open_files(None, json=tmp_path / 'r.json', coco=tmp_path / 'c.json') as writer:
        writer.write(good('point', **ONE_POINT))
        writer.write(CountResult('bad', error='broken'))
        writer.write(boxed())
    listed = json.loads((tmp_path / 'r.json').read_text())
    assert [one['image'] for one in listed] == ['point', 'bad', 'boxed']
    assert listed[1]['count'] is None
    with redirect_stdout(StringIO()):
        coco = COCO(tmp_path / 'c.json')
    assert [one['file_name'] for one in coco.dataset['images']] == ['point', 'boxed']
    assert coco.dataset['info']['failed'] == [dict(file_name='bad', error='broken')]
    point, box = coco.dataset['annotations']
    assert (point['image_id'], point['category_id'], point['keypoints']) == (1, 1, [1.0, 1.0, 2])
    assert 'bbox' not in point
    assert (box['image_id'], box['bbox'], box['area'], box['count']) == (2, [0.0, 0, 10, 20], 200.0, 3.0)
    assert coco.cats[box['category_id']]['name'] == 'dog'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['c.json', 'r.json']


def test_no_result_gives_files_that_can_be_read(tmp_path):
    with open_files(None, json=tmp_path / 'r.json', coco=tmp_path / 'c.json'):
        pass
    assert json.loads((tmp_path / 'r.json').read_text()) == []
    assert json.loads((tmp_path / 'c.json').read_text())['annotations'] == []


def test_interrupted_json_is_continued_with_its_counts(tmp_path):
    path, listed = tmp_path / 'counts.csv', tmp_path / 'r.json'
    interrupted(path, json=listed)
    with open_files(path, json=listed, resume=True) as writer:
        writer.write(good('bad'))
        writer.write(good('cut'))
    assert [one['image'] for one in json.loads(listed.read_text())] == ['one, two', 'bad', 'cut']


def test_two_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match='needs its own name'):
        open_files(tmp_path / 'a.csv', objects_csv=tmp_path / 'a.csv')


def test_files_are_continued_with_the_settings_they_were_made_with(tmp_path):
    path = tmp_path / 'counts.csv'
    interrupted(path, settings=dict(scale=0.5, calibrated=False))
    with pytest.raises(ValueError, match=r'was made with scale=0\.5, cannot be continued with 1\.0'):
        open_files(path, settings=dict(scale=1.0, calibrated=False), resume=True)
    with open_files(path, settings=dict(scale=0.5, calibrated=False), resume=True):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ['counts.csv']


def test_names_that_a_spreadsheet_would_run_are_quoted_and_continued(tmp_path):
    classes = '-a', '@b'
    table, objects = tmp_path / 'c.csv', tmp_path / 'o.csv'
    one = CountResult('=1+1.png', counts={'-a': 1.0, '@b': 0.0}, **ONE_POINT)

    def files():
        return ResultFiles(classes, '+m', 'f00', table, objects, resume=True)

    with suppress(KeyboardInterrupt), files() as interrupted:
        interrupted.write(one)
        raise KeyboardInterrupt
    with files() as continued:
        assert continued.done == {'=1+1.png'}
    with open(table, newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [(row['image'], row['class'], row['model']) for row in rows] == [
        ("'=1+1.png", "'-a", "'+m"),
        ("'=1+1.png", "'@b", "'+m"),
    ]
    assert [row['count'] for row in rows] == ['1', '0']
    assert objects.read_text().splitlines()[1].startswith("'=1+1.png,'-a,1.00,1.00,")
