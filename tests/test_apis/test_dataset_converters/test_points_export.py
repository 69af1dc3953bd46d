"""Data sets become the common point format and come back from it unchanged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from benchmarks.real_data import data_root
from mmcount.apis.dataset_converters.points_export import export_points, shortest_decimal
from mmcount.datasets import CountDataset, ShanghaiTechB
from mmcount.registry import DATASETS
from mmcount.utils import register_all_modules

CLASSES = ('cell', 'big, "cell"')


def photo(root, name, size=(24, 32)):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(path)
    return str(path)


def build(root, infos, **kwargs):
    infos = [dict(img_id=str(index), **info) for index, info in enumerate(infos)]
    return CountDataset(data_root=root, data_list=infos, metainfo=dict(classes=CLASSES), **kwargs)


def read_back(export, folder):
    register_all_modules()
    return DATASETS.build(export.write(folder))


def rows(dataset):
    """Image to its labelled points."""
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {
        info['img_path']: sorted(zip(map(tuple, info['points'].tolist()), info['labels'].tolist(), strict=True))
        for info in infos
    }


@settings(deadline=None, derandomize=True, max_examples=60)
@given(hnp.arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_numbers_come_back_bit_by_bit(values):
    assert [np.float32(float(shortest_decimal(value))) for value in values] == values.tolist()


def test_nothing_that_the_format_can_hold_is_lost(tmp_path):
    names = ('a.png', 'deep/b c.png', 'deep/c,"d".png', 'empty.png')
    points = np.random.default_rng(0).normal(10, 20, (3, 50, 2)).astype(np.float32)
    points[0, :2] = points[0, 2]  # duplicates
    infos = [dict(img_path=photo(tmp_path, name), points=[], labels=[]) for name in names]
    for info, values in zip(infos, points, strict=False):
        info.update(points=values, labels=np.arange(50) % 2)
    photo(tmp_path, 'not_in_the_data_set.png')
    dataset = build(tmp_path, infos)
    export = export_points(dataset)
    assert (export.num_images, export.num_points, dict(export.not_held)) == (4, 150, {})
    assert export.config['check_bounds'] is False
    again = read_back(export, tmp_path / 'out')
    assert rows(again) == rows(dataset)
    assert again.metainfo['classes'] == CLASSES
    assert again.metainfo['palette'] == dataset.metainfo['palette']
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['images.txt', 'points.csv']


def test_bounds_are_checked_where_all_points_are_inside(tmp_path):
    info = dict(img_path=photo(tmp_path, 'a.png'), points=[(-0.5, 0), (31.4, 23.4)], labels=[0, 0])
    export = export_points(build(tmp_path, [info]))
    assert export.config['check_bounds'] is True
    assert rows(read_back(export, tmp_path)) == rows(build(tmp_path, [info]))
    info['points'][1] = (31.5, 3)
    assert export_points(build(tmp_path, [info])).config['check_bounds'] is False


def test_what_the_format_cannot_hold_is_named(tmp_path):
    infos = [
        dict(img_path=photo(tmp_path, 'a.png'), bboxes=[(0, 0, 3, 3), (2, 2, 7, 7)], labels=[0, 1], counts=[1, 3]),
        dict(img_path=photo(tmp_path, 'b.png'), points=[(1, 1), (2, 2)], labels=[0, 0], ignore_flags=[0, 1], scene='x'),
        dict(img_path=photo(tmp_path, 'c.png'), points=[(1, 1)], labels=[0], image_counts=[4, 0]),
    ]
    export = export_points(build(tmp_path, infos))
    assert export.not_held == {
        'bboxes': 1,
        'scene': 1,
        'ignored objects': 1,
        'image_counts that differ from the objects': 1,
    }
    again = read_back(export, tmp_path)
    assert again.class_counts().tolist() == [[1, 3], [1, 0], [1, 0]]
    assert again.get_data_info(0)['points'].tolist() == [[1, 1], [4, 4], [4, 4], [4, 4]]


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / 'below').mkdir()
    good = dict(img_path=photo(tmp_path, 'a.png'), points=[(1, 1)], labels=[0])
    cases = [
        (dict(img=np.zeros((4, 4, 3), np.uint8)), tmp_path, 'is no file'),
        (good, tmp_path / 'below', 'is not below'),
        (dict(img_path=good['img_path'], image_counts=[1, 0]), tmp_path, 'only the counts'),
        (dict(good, img_path=photo(tmp_path, ' c.png')), tmp_path, 'odd blanks'),
    ]
    for info, root, message in cases:
        with pytest.raises(ValueError, match=message):
            export_points(build(tmp_path, [good, info]), root)
    with pytest.raises(ValueError, match=r"'a\.png' is in the data set more than once"):
        export_points(build(tmp_path, [good, good]))


def test_the_real_sample_comes_back(tmp_path):
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    dataset = ShanghaiTechB(data_root=root, subset='trainval')
    export = export_points(dataset)
    assert (export.num_images, export.num_points, dict(export.not_held)) == (30, 487, {})
    assert rows(read_back(export, tmp_path)) == rows(dataset)
