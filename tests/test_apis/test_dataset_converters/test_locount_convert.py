import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmcount.apis.dataset_converters.locount_convert import coco_to_locount, locount_to_coco, write_coco, write_locount
from mmcount.datasets import AnnotationError
from mmcount.datasets.formats.locount_classes import LOCOUNT_CLASSES

TOOLS = Path(__file__).resolve().parents[3] / 'tools' / 'dataset_converters'


def random_texts(seed=0, number=30):
    """Files of whole and broken coordinates, of all classes, some without boxes."""
    rng = np.random.default_rng(seed)
    texts = {}
    for index in rng.permutation(500)[:number]:
        rows = []
        for _ in range(rng.integers(0, 7)):
            x, y, width, height = rng.integers(0, 900, 4).tolist()
            if rng.random() < 0.2:
                x, width = x + 0.1, width + 0.25
            name, count = LOCOUNT_CLASSES[rng.integers(140)], rng.integers(1, 57)
            rows.append(f'{x},{y},{round(x + width, 3)},{y + height},{name},{count}\n')
        texts[f'{index:0{rng.integers(3, 8)}d}.txt'] = ''.join(rows)
    return texts


@pytest.fixture
def texts():
    return random_texts()


@pytest.fixture
def folder(tmp_path, texts):
    write_locount(texts, tmp_path / 'annotation_train')
    return tmp_path / 'annotation_train'


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_text_to_json_to_text_is_lossless(tmp_path, folder, texts):
    assert sum(text.count('\n') for text in texts.values()) > 50
    write_coco(locount_to_coco(folder), tmp_path / 'a.json')
    write_locount(coco_to_locount(tmp_path / 'a.json'), tmp_path / 'back')
    assert contents(tmp_path / 'back') == texts


def test_json_to_text_to_json_is_lossless(tmp_path, folder):
    content = locount_to_coco(folder)
    write_coco(content, tmp_path / 'a.json')
    write_locount(coco_to_locount(tmp_path / 'a.json'), tmp_path / 'back')
    assert locount_to_coco(tmp_path / 'back') == content == json.loads((tmp_path / 'a.json').read_text())


def test_the_json_is_what_coco_readers_expect(tmp_path):
    write_locount({'0012.txt': '10,20,110,220,Tea,12\n1,2,3,4,Mug,1\n', '3.txt': ''}, tmp_path / 'in')
    content = locount_to_coco(tmp_path / 'in')
    assert content['images'] == [
        {'id': 3, 'file_name': '3.jpg', 'height': 1080, 'width': 1920},
        {'id': 12, 'file_name': '0012.jpg', 'height': 1080, 'width': 1920},
    ]
    assert content['annotations'][0] == {
        'id': 1, 'image_id': 12, 'category_id': 21, 'bbox': [10, 20, 100, 200], 'count': 12, 'area': 20000,
        'iscrowd': 0,
    }  # fmt: skip
    assert [one['id'] for one in content['annotations']] == [1, 2]
    assert content['categories'][139] == {'id': 139, 'name': 'Fresh-keeping film'}


def test_sizes_are_those_of_the_images_where_they_are_given(tmp_path):
    write_locount({'7.txt': '1,2,3,4,Mug,1\n'}, tmp_path / 'in')
    Image.fromarray(np.zeros((9, 15, 3), np.uint8)).save(tmp_path / '7.jpg')
    (image,) = locount_to_coco(tmp_path / 'in', tmp_path)['images']
    assert (image['height'], image['width']) == (9, 15)
    with pytest.raises(FileNotFoundError, match=r'7\.jpg'):
        locount_to_coco(tmp_path / 'in', tmp_path / 'in')


def coco(**changes):
    annotation = {'image_id': 7, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'count': 5, **changes.pop('annotation', {})}
    return {
        'images': [{'id': 7, 'file_name': '07.jpg'}],
        'annotations': [annotation],
        'categories': [{'id': 1, 'name': 'Tea '}],
        **changes,
    }


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (coco(categories=[{'id': 1, 'name': 'Tee'}]), r"categories\[0\]: class 'Tee' is none of the 140"),
        (coco(images=[{'id': 7, 'file_name': 'shelf.jpg'}]), r"images\[0\] is 'shelf.jpg' with the id 7"),
        (coco(images=[{'id': 7, 'file_name': '8.jpg'}]), r"images\[0\] is '8.jpg' with the id 7"),
    ],
)
def test_what_the_text_files_cannot_say_is_refused(tmp_path, content, message):
    write_coco(content, tmp_path / 'a.json')
    with pytest.raises(AnnotationError, match=message):
        coco_to_locount(tmp_path / 'a.json', [])


@pytest.mark.parametrize(
    ('annotation', 'message'),
    [
        ({'count': 0}, 'the count is 0'),
        ({'bbox': [1, 2, 3]}, r'the bbox is \[1, 2, 3\]'),
        ({'bbox': [1, 2, -3, 4]}, r'the bbox is \[1, 2, -3, 4\]'),
        ({'bbox': [1, 2, float('nan'), 4]}, 'the bbox is'),
        ({'iscrowd': 1}, 'is a crowd region'),
    ],
)
def test_bad_annotations_are_refused_by_record_or_left_out(tmp_path, annotation, message):
    content = coco(annotation=annotation)
    content['annotations'].append({'image_id': 7, 'category_id': 1, 'bbox': [9, 9, 1, 1]})
    write_coco(content, tmp_path / 'a.json')
    with pytest.raises(AnnotationError, match=rf'annotations\[0\]: {message}'):
        coco_to_locount(tmp_path / 'a.json')
    skipped = []
    assert coco_to_locount(tmp_path / 'a.json', skipped) == {'07.txt': '9,9,10,10,Tea,1\n'}
    assert len(skipped) == 1


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    def broken(files):
        yield files[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_locount({'1.txt': '', '2.txt': ''}, tmp_path / 'out', broken)
    assert list(tmp_path.iterdir()) == []
    write_locount({'1.txt': ''}, tmp_path / 'out')
    with pytest.raises(FileExistsError, match='give a new or an empty folder'):
        write_locount({'2.txt': ''}, tmp_path / 'out')
    assert contents(tmp_path / 'out') == {'1.txt': ''}


def run(monkeypatch, name, *arguments):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
    return module.main()


def test_the_tools_turn_each_other_back(tmp_path, folder, texts, monkeypatch, capsys):
    assert run(monkeypatch, 'locount_to_coco', folder, tmp_path / 'a.json') == 0
    boxes = sum(text.count('\n') for text in texts.values())
    assert f'{len(texts)} images, {boxes} boxes' in capsys.readouterr().out
    assert run(monkeypatch, 'coco_to_locount', tmp_path / 'a.json', tmp_path / 'back') == 0
    assert contents(tmp_path / 'back') == texts


def test_a_bad_line_writes_nothing_or_is_left_out_by_name(tmp_path, monkeypatch, capsys):
    write_locount({'7.txt': '1,2,3,4,Mug,1\n1,2,3,4,Mugs,1\n'}, tmp_path / 'in')
    assert run(monkeypatch, 'locount_to_coco', tmp_path / 'in', tmp_path / 'a.json') == 2
    assert f"{tmp_path / 'in' / '7.txt'}, line 2: class 'Mugs' is none of the 140" in capsys.readouterr().err
    assert not (tmp_path / 'a.json').exists()
    assert run(monkeypatch, 'locount_to_coco', tmp_path / 'in', tmp_path / 'a.json', '--skip-bad-lines') == 0
    assert 'left out: ' in capsys.readouterr().out
    assert len(json.loads((tmp_path / 'a.json').read_text())['annotations']) == 1


def test_the_tool_names_a_bad_record(tmp_path, monkeypatch, capsys):
    write_coco(coco(annotation={'count': 0}), tmp_path / 'a.json')
    assert run(monkeypatch, 'coco_to_locount', tmp_path / 'a.json', tmp_path / 'out') == 2
    assert 'annotations[0]: the count is 0' in capsys.readouterr().err
    assert run(monkeypatch, 'coco_to_locount', tmp_path / 'a.json', tmp_path / 'out', '--skip-bad-records') == 0
