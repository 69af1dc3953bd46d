import numpy as np
import pytest

from mmcount.datasets import AnnotationError, CountDataset
from mmcount.datasets.image_counts import check_image_counts, total_counts


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
        check_image_counts(values, 2, 'photo7')
    image = {'img': np.zeros((4, 4, 3), np.uint8), 'img_id': 'photo7', 'image_counts': values}
    with pytest.raises(AnnotationError, match='photo7: image_counts'):
        CountDataset(data_list=[image], metainfo={'classes': ('a', 'b')})


def test_what_has_no_counts_is_not_counted_as_zero():
    assert total_counts({'labels': []}, 2).tolist() == [0, 0]
    with pytest.raises(
        AnnotationError, match="photo7: has no annotation to count: neither"
    ):
        total_counts({'img_id': 'photo7'}, 2)
