"""The parsers of the files of crowd data sets, without any data set around them."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from mmcount.datasets import AnnotationError
from mmcount.datasets.formats.crowd_points import (
    number_rows,
    parse_jhu_txt,
    parse_location_list,
    parse_nwpu_json,
    parse_via_json,
    read_annpoints_mat,
    read_shanghaitech_mat,
)

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


@pytest.mark.parametrize('empty', [[], [[]], np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((1, 0))])
def test_no_rows_in_any_shape(empty):
    assert number_rows(empty, 2, 'point', 'a').shape == (0, 2)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'is not JSON'),
        ('{"points": [[1, 2]', r'a\.json, line 1: is not JSON'),
        ('[' * 100_000, 'is not JSON'),
        ('[]', "expected an object with 'points' and 'boxes', found list"),
        ('{"boxes": []}', r"found \['boxes'\]"),
        ('{"points": 5}', r'expected the points as \(N, 2\), found shape \(\)'),
        ('{"points": {"x": 1}}', 'expected a list of points, found dict'),
        ('{"points": [[1, 2], [3]]}', r'point 1 is \[3\], expected 2 numbers'),
        ('{"points": [[1, 2], "here"]}', 'point 1 is here, expected 2 numbers'),
        ('{"points": [[1, 2, 3]]}', r'\(N, 2\), found shape \(1, 3\)'),
        ('{"points": [[1, 2], [NaN, 3]]}', r'point 1 is \[nan, 3\.0\], expected 2 finite numbers'),
        ('{"points": [[1, 2], [null, 3]]}', r'point 1 is \[nan, 3\.0\]'),
        ('{"points": [[1e300, 2]]}', 'expected 2 finite numbers'),
        ('{"points": [[1, 2]], "boxes": [[1, 2, 3]]}', r'the boxs? as \(N, 4\)|boxes as'),
        ('{"points": [[1, 2]], "human_num": "many"}', 'human_num is many, expected a whole number'),
        ('{"points": [[1, 2]], "human_num": -1}', 'human_num is -1'),
    ],
)
def test_malformed_nwpu_json(text, message):
    with pytest.raises(AnnotationError, match=message) as caught:
        parse_nwpu_json(text, 'a.json')
    assert caught.value.file == 'a.json'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1 2 3 4 1', r'line 1: 5 values .*expected 6: x y w h occlusion blur'),
        ('1 2 3 4 1 0\n\n1 2 3 4 1 0 9', 'line 3: 7 values'),
        ('1 2 3 4 1 0\n1 x 3 4 1 0', "line 2: 'x' is no number"),
        ('1 2 3 4 4 0', 'line 1: .*occlusion 1, 2 or 3'),
        ('1 2 3 4 1 2', 'line 1: .*blur 0 or 1'),
        ('1 2 -3 4 1 0', 'line 1: .*at least 0'),
        ('nan 2 3 4 1 0', 'line 1: .*finite'),
        ('1 2 3 4 1 0\n1e300 2 3 4 1 0', 'line 2: .*finite'),
    ],
)
def test_malformed_jhu_text(text, message):
    with pytest.raises(AnnotationError, match=message):
        parse_jhu_txt(text, 'a.txt')


@pytest.mark.parametrize('text', ['', '\n', ' \r\n\n'])
def test_an_empty_jhu_file_is_nobody(text):
    heads = parse_jhu_txt(text)
    assert heads.points.shape == (0, 2)
    assert heads.bboxes.shape == (0, 4)
    assert len(heads.attributes['blurs']) == 0


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.tuples(FINITE, FINITE, st.floats(0, 1e3), st.floats(0, 1e3), st.integers(1, 3), st.integers(0, 1))))
def test_jhu_boxes_are_centred_and_of_their_size(rows):
    heads = parse_jhu_txt('\n'.join(' '.join(map(repr, row)) for row in rows))
    expected = np.reshape(rows, (-1, 6)).astype(float)
    assert (heads.points == expected[:, :2]).all()
    assert (heads.bboxes[:, :2] + heads.bboxes[:, 2:]) / 2 == pytest.approx(expected[:, :2], abs=1e-6)
    assert heads.bboxes[:, 2:] - heads.bboxes[:, :2] == pytest.approx(expected[:, 2:4], abs=1e-6)
    assert heads.attributes['occlusions'].tolist() == expected[:, 4].tolist()


def via(*shapes, as_dict=False):
    regions = [{'shape_attributes': shape} for shape in shapes]
    regions = {str(index): region for index, region in enumerate(regions)} if as_dict else regions
    return json.dumps({'001.jpg9': {'filename': '001.jpg', 'regions': regions}})


@pytest.mark.parametrize('as_dict', [False, True])
def test_via_rectangles(as_dict):
    heads = parse_via_json(via(dict(name='rect', x=1, y=2, width=3, height=5), as_dict=as_dict))
    assert heads.points.tolist() == [[2.5, 4.5]]
    assert heads.bboxes.tolist() == [[1, 2, 4, 7]]
    assert parse_via_json(via(as_dict=as_dict)).points.shape == (0, 2)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{}', 'found 0 entries'),
        ('[1]', 'expected an object with one image'),
        ('{"a": {"regions": []}, "b": {"regions": []}}', 'found 2 entries'),
        ('{"a": {"regions": 5}}', "'regions' must be a list, found int"),
        ('{"a": {"regions": [7]}}', "region 0 is '7', expected a rect"),
        (via(dict(name='circle', cx=1, cy=2, r=3)), "region 0 is 'circle', expected a rect"),
        (via(dict(x=1, y=2, width=3, height=5), dict(x=1, y=None, width=3, height=5)), 'region 1 has .*None'),
        (via(dict(x=1, y=2, width='3', height=5)), 'region 0 has .*expected numbers'),
    ],
)
def test_malformed_via_json(text, message):
    with pytest.raises(AnnotationError, match=message):
        parse_via_json(text, 'a.json')


def test_location_list_of_a_set_with_and_without_heads():
    found = parse_location_list('3110 2 1 2 3 4 0 5 6 7 8 5\n\n3111 0\n3112 3 1 2 -3 4 0\n')
    assert list(found) == ['3110', '3111', '3112']
    assert found['3110'].points.tolist() == [[1, 2], [5, 6]]
    assert found['3110'].attributes['sigmas'].tolist() == [[3, 4], [7, 8]]
    assert found['3110'].attributes['levels'].tolist() == [0, 5]
    assert found['3111'].points.shape == (0, 2)
    assert (found['3112'].stated, len(found['3112'].points)) == (3, 1)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1 0\n1 0', "line 2: image '1' is in the list twice"),
        ('1', 'line 1: 1 values'),
        ('1 1 2 3', 'line 1: 4 values'),
        ('1 1 2 3 4 5 x', 'line 1: expected numbers'),
        ('1 1 2 3 4 5 nan', 'line 1: .*finite'),
        ('1 0.5', 'num is 0.5'),
    ],
)
def test_malformed_location_list(text, message):
    with pytest.raises(AnnotationError, match=message):
        parse_location_list(text, 'gt.txt')


@pytest.mark.parametrize('points', [np.zeros((0, 0)), [[3.0, 4.0]], [[1.5, 2.0], [3.0, 4.0], [1.5, 2.0]]])
def test_annpoints(tmp_path, points):
    savemat(tmp_path / 'a.mat', dict(annPoints=points))
    heads = read_annpoints_mat(str(tmp_path / 'a.mat'))
    assert heads.points.tolist() == np.reshape(points, (-1, 2)).tolist()
    assert heads.bboxes is None


def test_annpoints_malformed(tmp_path):
    path = tmp_path / 'a.mat'
    savemat(path, dict(points=[[1, 2]]))
    with pytest.raises(AnnotationError, match=r"a\.mat: holds no variable 'annPoints', only \['points'\]"):
        read_annpoints_mat(str(path))
    savemat(path, dict(annPoints=[[1.0, 2.0], [np.nan, 1.0]]))
    with pytest.raises(AnnotationError, match=r'annPoints row 1 is .*nan'):
        read_annpoints_mat(str(path))
    savemat(path, dict(annPoints=np.zeros((2, 5))))
    with pytest.raises(AnnotationError, match=r'\(N, 2\), found shape \(2, 5\)'):
        read_annpoints_mat(str(path))
    savemat(path, dict(annPoints=dict(x=1)))
    with pytest.raises(AnnotationError, match='found dict'):
        read_annpoints_mat(str(path))


def test_shanghaitech_malformed(tmp_path):
    path = tmp_path / 'a.mat'
    for content, message in (
        (dict(image_info=5), 'must be one struct .* found ndarray'),
        (dict(image_info=dict(number=1)), r"found \['number'\]"),
        (dict(image_info=dict(location=[[1, 2]], number=[[1, 2]])), 'number is .*expected a whole number'),
        (dict(image_info=dict(location=[[1, np.inf]])), 'location row 0 is .*inf'),
    ):
        savemat(path, content)
        with pytest.raises(AnnotationError, match=message):
            read_shanghaitech_mat(str(path))
    savemat(path, dict(image_info=dict(location=[[1, 2]], number=3)))
    heads = read_shanghaitech_mat(str(path))
    assert (heads.points.tolist(), heads.stated) == ([[1, 2]], 3)
