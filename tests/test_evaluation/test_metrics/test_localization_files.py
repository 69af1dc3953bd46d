import numpy as np
import pytest

from mmcount.evaluation.functional import CrowdPoints, box_levels, box_sigmas
from mmcount.evaluation.metrics import (
    localization_files,
    read_crowd_points,
    read_points,
    write_crowd_points,
    write_points,
)


def crowd(seed, number):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (number, 2))
    boxes = np.concatenate((corner, corner + rng.uniform(2, 14, (number, 2))), axis=1).reshape(-1, 4)
    return boxes, rng.uniform(-5, 70, (number + seed % 3, 2))


def test_lists_come_back_as_written(tmp_path):
    boxes, points = crowd(1, 5)
    heads = {
        '0001': CrowdPoints(points[:5], box_sigmas(boxes), box_levels(boxes)),
        '0002': CrowdPoints(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0, int)),
    }
    write_crowd_points(tmp_path / 'truth.txt', heads)
    write_points(tmp_path / 'pred.txt', {'0001': points}, truncate=False)
    read = read_crowd_points(tmp_path / 'truth.txt')
    assert list(read) == ['0001', '0002']
    for name, one in heads.items():
        np.testing.assert_allclose(read[name].points, one.points, atol=1e-6)
        np.testing.assert_allclose(read[name].sigmas, one.sigmas, atol=1e-6)
        assert read[name].levels.tolist() == one.levels.tolist()
        assert read[name].announced is None
    np.testing.assert_allclose(read_points(tmp_path / 'pred.txt')['0001'], points, atol=1e-6)
    with pytest.raises(ValueError, match="image '7' has no sigmas"):
        write_crowd_points(tmp_path / 'other.txt', {'7': CrowdPoints(points)})


def test_lists_of_points_are_ground_truth_without_radii(tmp_path):
    path = tmp_path / 'truth.txt'
    path.write_text('1 5 1 2 3 4 5 6 7 8 9 10\n2 0\n')  # as many numbers as two heads of five
    assert read_crowd_points(path)['1'].points.shape == (5, 2)
    assert read_crowd_points(path)['1'].sigmas is None
    path.write_text('1 0\n2 0\n')
    assert read_crowd_points(path)['1'].sigmas.shape == (0, 2)


def test_a_list_that_announces_more_heads_than_it_has_is_told(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(localization_files, 'print_log', lambda text, *_: told.append(text))
    path = tmp_path / 'truth.txt'
    path.write_text('0415 3 1 2 4 5 0 11 12 4 5 1\n0416 1 5 5 -2 -3 0\n')
    heads = read_crowd_points(path)
    assert (len(heads['0415'].points), heads['0415'].announced, heads['0416'].announced) == (2, 3, None)
    assert heads['0416'].sigmas.tolist() == [[-2, -3]]
    assert '1 images list fewer heads than they announce (0415)' in told[0]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'no image'),
        ('1\n', r'line 1: expected "id num"'),
        ('1 0\n2 1 3\n', r'line 2: image 2 announces 1 points, i\.e\. 2 numbers, found 1'),
        ('1 1 3 4 5 6\n', 'announces 1 points'),
        ('1 1 3 x\n', r'line 1: expected "id num" and numbers'),
        ('1 1 3 nan\n', 'finite coordinates'),
        ('1 nan 3 4\n', 'whole number of points'),
        ('1 -1\n', 'whole number of points'),
        ('1 0\n\n1 0\n', 'line 3: image 1 is already in line 1'),
    ],
)
def test_malformed_lists_of_points_are_refused(tmp_path, text, message):
    path = tmp_path / 'pred.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_points(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1 1 1 2 3 4 6\n', r'line 1: image 1 has a level that is not one of 0\.\.5'),
        ('1 1 1 2 3 4\n', 'announces 1 heads of 5 numbers, found 4'),
        ('1 1 1 2 3 4 1 1 2 3 4 1\n', 'announces 1 heads of 5 numbers, found 10'),
    ],
)
def test_malformed_lists_of_heads_are_refused(tmp_path, text, message):
    path = tmp_path / 'truth.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_crowd_points(path)
