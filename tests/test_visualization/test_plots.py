import json

import cv2
import numpy as np
import pytest

from mmcount.evaluation.functional import errors_by_count
from mmcount.visualization import plot_counts, plot_curves, plot_errors_by_count, read_scalars


def test_a_dot_for_every_image_is_drawn(tmp_path):
    few, many = tmp_path / 'few.png', tmp_path / 'many.png'
    plot_counts([1.0], [1], few)
    plot_counts(np.arange(50) + 0.5, np.arange(50), many, title='test', interval=np.full((50, 2), np.nan))
    blue = []
    for path in (few, many):
        image = cv2.imread(str(path)).astype(int)
        blue.append((image[..., 0] - image[..., 2] > 60).sum())
    assert blue[1] > 5 * blue[0] > 0


def test_no_image_is_refused_and_no_file_is_left(tmp_path):
    with pytest.raises(ValueError, match='at least one image'):
        plot_counts([], [], tmp_path / 'no.png')
    assert list(tmp_path.iterdir()) == []


def test_images_without_objects_can_be_drawn(tmp_path):
    plot_counts([0.0, 0.0], [0, 0], tmp_path / 'zero.png')
    assert cv2.imread(str(tmp_path / 'zero.png')) is not None


def test_errors_of_every_true_count_are_drawn(tmp_path):
    short, long = tmp_path / 'short.png', tmp_path / 'long.png'
    plot_errors_by_count(errors_by_count([0.0], [0]), short)
    plot_errors_by_count(errors_by_count(np.arange(60) * 0.5, np.arange(60)), long, title='test')
    orange = []
    for path in (short, long):
        image = cv2.imread(str(path)).astype(int)
        orange.append((image[..., 2] - image[..., 0] > 120).sum())
    assert orange[1] > 3 * orange[0] > 0
    with pytest.raises(ValueError, match='at least one true count'):
        plot_errors_by_count([], tmp_path / 'no.png')
    assert not (tmp_path / 'no.png').exists()


def test_validations_lie_at_the_iteration_before_them(tmp_path):
    path = tmp_path / 'scalars.json'
    records = [
        {'loss': 2.0, 'epoch': 1, 'iter': 10, 'step': 10},
        {'loss': 1.0, 'epoch': 1, 'iter': 20, 'step': 20},
        {'count/MAE': 5.0, 'count/NAE': float('nan'), 'step': 1},
        {'loss': 0.5, 'epoch': 2, 'iter': 30, 'step': 30},
        {'count/MAE': 4.0, 'step': 2},
    ]
    path.write_text('\n'.join(map(json.dumps, records)) + '\n{"loss": 0.')
    curves = read_scalars(path)
    assert curves == {'loss': ([10, 20, 30], [2.0, 1.0, 0.5]), 'count/MAE': ([20, 30], [5.0, 4.0])}
    assert plot_curves(curves, tmp_path / 'curves.png')
    assert cv2.imread(str(tmp_path / 'curves.png')).shape[1] > 1000


def test_without_curves_no_file_is_written(tmp_path):
    assert not plot_curves({'lr': ([1.0], [0.1])}, tmp_path / 'curves.png')
    assert list(tmp_path.iterdir()) == []
