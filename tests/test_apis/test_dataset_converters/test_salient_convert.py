import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mmcount.apis.dataset_converters.locount_convert import write_coco
from mmcount.apis.dataset_converters.salient_convert import salient_to_coco
from mmcount.datasets import MSO, SOS, AnnotationError, SalientCoco

TOOL = Path(__file__).resolve().parents[3] / 'tools' / 'dataset_converters' / 'salient_to_coco.py'
COLUMNS = {
    'name': ['a.jpg', 'b.jpg', 'c.jpg'],
    'label': [0, 1, 4],
    'istest': [0, 0, 1],
    'anno': [np.zeros((0, 4)), np.array([[1, 1, 10, 5]]), np.array([[3, 2, 8, 90]] * 5)],
}


@pytest.fixture
def folder(tmp_path):
    """A set that can be read as SOS and as MSO."""
    index = np.empty((3, 1), dtype=[(field, object) for field in COLUMNS])
    for field, values in COLUMNS.items():
        for row, value in enumerate(values):
            index[field][row, 0] = value
    savemat(tmp_path / 'imgIdx.mat', {'imgIdx': index})
    (tmp_path / 'img').mkdir()
    for name in COLUMNS['name']:
        for target in (tmp_path, tmp_path / 'img'):
            cv2.imwrite(str(target / name), np.zeros((20, 30, 3), np.uint8))
    return tmp_path


def test_mso_comes_back_with_its_labels_and_boxes(folder):
    dataset = MSO(data_root=folder)
    content = salient_to_coco(dataset)
    assert content['categories'] == [{'id': 1, 'name': 'salient'}]
    assert content['images'][2] == {'id': 3, 'file_name': 'c.jpg', 'height': 20, 'width': 30, 'count_label': 4}
    assert [one['bbox'] for one in content['annotations']] == [[0, 0, 10, 5]] + [[2, 1, 6, 19]] * 5
    write_coco(content, folder / 'mso.json')
    back = SalientCoco(ann_file='mso.json', data_root=folder, data_prefix=dict(img='img'))
    assert back.metainfo['classes'] == dataset.metainfo['classes']
    for one, other in zip(map(dataset.get_data_info, range(3)), map(back.get_data_info, range(3)), strict=True):
        assert one['image_counts'].tolist() == other['image_counts'].tolist()
        assert one['bboxes'].tolist() == other['bboxes'].tolist()
        assert one['img_path'] == other['img_path']


def test_sos_comes_back_as_counts_alone(folder):
    write_coco(salient_to_coco(SOS(data_root=folder, subset='trainval')), folder / 'sos.json')
    back = SalientCoco(ann_file='sos.json', data_root=folder)
    assert back.class_counts().ravel().tolist() == [0, 1]
    assert 'bboxes' not in back.get_data_info(1)


@pytest.mark.parametrize('label', [None, -1, 1.5, True])
def test_a_missing_or_strange_label_is_named(folder, label):
    content = salient_to_coco(MSO(data_root=folder))
    content['images'][1]['count_label'] = label
    write_coco(content, folder / 'bad.json')
    with pytest.raises(AnnotationError, match=f'image 2 has the count_label {label}, expected a whole number'):
        SalientCoco(ann_file='bad.json', data_root=folder)


def run(monkeypatch, *arguments):
    spec = importlib.util.spec_from_file_location('salient_to_coco_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.setattr(sys, 'argv', ['salient_to_coco', *map(str, arguments)])
    return tool.main()


def test_the_tool_writes_a_file_or_says_what_is_wrong(folder, monkeypatch, capsys):
    out = folder / 'new' / 'test.json'
    assert run(monkeypatch, 'sos', folder, out, '--subset', 'test') == 0
    assert capsys.readouterr().out.startswith('1 images, 0 boxes in ')
    assert [one['file_name'] for one in json.loads(out.read_text())['images']] == ['c.jpg']
    assert run(monkeypatch, 'mso', folder, folder / 'mso.json') == 0
    assert capsys.readouterr().out.startswith('3 images, 6 boxes in ')
    assert run(monkeypatch, 'mso', folder / 'nowhere', folder / 'none.json') == 2
    assert 'ERROR' in capsys.readouterr().err
    assert not (folder / 'none.json').exists()
