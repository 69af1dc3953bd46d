import numpy as np
import pytest

from mmcount.datasets import AnnotationError, CountDataset
from mmcount.datasets.data_info import check_data_info, total_counts


def test_given_counts_of_the_image_win_over_its_objects():
    image = {'img': np.zeros((4, 4, 3), np.uint8), 'img_id': '0', 'points': [[0, 0]], 'labels': [0]}
    dataset = CountDataset(data_list=[{**image, 'image_counts': [3, 1]}], metainfo={'classes': ('a', 'b')})
    assert dataset.class_counts().tolist() == [[3, 1]]
    assert dataset[0]['points'].tolist() == [[0, 0]]


def test_counts_alone_say_nothing_about_places():
    image = {'img': np.zeros((4, 4, 3), np.uint8), 'img_id': '0', 'image_counts': [0, 2]}
    dataset = CountDataset(data_list=[image], metainfo={'classes': ('a', 'b')})
    assert dataset.class_counts().tolist() == [[0, 2]]
    assert dataset.get_cat_ids(0) == [1]
    assert not {'points', 'labels', 'bboxes'} & set(dataset[0])


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ([1], r'must be \(2,\), one per class, got \(1,\)'),
        ([[1, 2]], r'got \(1, 2\)'),
        ([0, -1], 'of class 1 is -1'),
        ([0.5, 1], r'of class 0 is 0\.5, expected a whole number'),
        ([0, np.nan], 'of class 1 is nan'),
        ([np.inf, 0], 'of class 0 is inf'),
    ],
)
def test_wrong_counts_name_the_image(values, message):
    with pytest.raises(AnnotationError, match=f'photo7: image_counts .*{message}'):
        check_data_info({'img_id': 'photo7', 'image_counts': values}, 2)
    image = {'img': np.zeros((4, 4, 3), np.uint8), 'img_id': 'photo7', 'image_counts': values}
    with pytest.raises(AnnotationError, match='photo7: image_counts'):
        CountDataset(data_list=[image], metainfo={'classes': ('a', 'b')})


def test_what_has_no_counts_is_not_counted_as_zero():
    assert total_counts({'labels': []}, 2).tolist() == [0, 0]
    with pytest.raises(AnnotationError, match='photo7: has no annotation to count: neither'):
        total_counts({'img_id': 'photo7'}, 2)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'points': [[0, np.inf]]}, r"'points' 0 is \[0\.0, inf\], expected finite numbers"),
        ({'points': [[0, 1e300]]}, "'points' 0 is .*, expected finite numbers"),
        ({'points': [[0, 1, 2]]}, r"'points' must be \(N, 2\), got \(1, 3\)"),
        ({'points': [[0, 'left']]}, "'points' are no numbers"),
        ({'labels': [0.5]}, "'labels' 0 is 0.5, expected whole numbers"),
        ({'labels': [[0]]}, r"'labels' must be \(N\), got \(1, 1\)"),
        ({'labels': None}, "has no 'labels'"),
        ({'labels': [2]}, r'label 0 is 2, expected 0\.\.1'),
        ({'counts': [1.5]}, "'counts' 0 is 1.5, expected whole numbers"),
        ({'counts': [0]}, 'counts must be at least 1, got 0'),
        ({'masks': []}, "agree in number, got {'points': 1, 'labels': 1, 'masks': 0}"),
    ],
)
def test_what_breaks_the_contract_is_named_with_its_image(changes, message):
    info = {'img_path': 'd/photo7.png', 'img_id': '7', 'points': [[0, 0]], 'labels': [0]}
    assert check_data_info(info, 2)['points'].dtype == np.float32
    with pytest.raises(AnnotationError, match=message) as caught:
        check_data_info({**info, **changes}, 2)
    assert caught.value.file == 'd/photo7.png'


def test_a_check_changes_nothing_and_copies_no_array_that_fits():
    info = {'img_id': '7', 'points': np.zeros((2, 2), np.float32), 'labels': [0, 1], 'bboxes': None}
    before = dict(info)
    checked = check_data_info(info, 2)
    assert info == before
    assert 'bboxes' not in checked
    assert np.shares_memory(checked['points'], info['points'])
    again = check_data_info(checked, 2)
    assert all(np.shares_memory(again[key], checked[key]) for key in ('points', 'labels'))


def test_labels_alone_say_how_many_and_not_where():
    info = check_data_info({'img_id': '7', 'labels': [1, 1], 'ignore_flags': [False, True]}, 2)
    assert 'points' not in info
    assert total_counts(info, 2).tolist() == [0, 1]
    assert check_data_info({'img_id': '7', 'labels': []}, 2)['points'].shape == (0, 2)
