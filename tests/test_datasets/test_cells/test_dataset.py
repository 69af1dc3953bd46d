import pickle

import numpy as np
import pytest

from mmcount.datasets import LowerCounts, SyntheticCells
from mmcount.registry import DATASETS

SCENE = dict(canvas=(64, 80), radius=(4, 6), empty_prob=0.2)


def test_it_builds_from_the_registry_and_gives_the_contract():
    dataset = DATASETS.build(dict(type='mmcount.SyntheticCells', num_samples=5, scene=SCENE))
    info = dataset.get_data_info(2)
    number = len(info['points'])
    assert info['img'].shape == (64, 80, 3)
    assert info['points'].dtype == np.float32
    assert info['labels'].tolist() == [0] * number
    assert info['counts'].tolist() == [1] * number
    assert info['bboxes'].shape == (number, 4)
    assert info['radii'].shape == (number,)
    assert dataset.metainfo['classes'] == ('cell',)
    assert len({dataset.get_data_info(index)['img_id'] for index in range(5)}) == 5


def test_an_image_depends_on_seed_subset_and_index_alone():
    def pixels(index=1, **options):
        return SyntheticCells(num_samples=9, scene=SCENE, **options).get_data_info(index)['img'].tobytes()

    assert pixels() == pixels()
    assert SyntheticCells(num_samples=3, scene=SCENE).get_data_info(1)['img'].tobytes() == pixels()
    assert len({pixels(), pixels(index=2), pixels(seed=1), pixels(subset='val'), pixels(subset='test')}) == 5


def test_a_selection_of_images_keeps_their_numbers():
    whole = SyntheticCells(num_samples=9, scene=SCENE)
    part = SyntheticCells(num_samples=9, scene=SCENE, indices=[7, 3])
    assert part.get_data_info(0)['img_id'] == whole.get_data_info(7)['img_id']
    np.testing.assert_array_equal(part.get_data_info(1)['points'], whole.get_data_info(3)['points'])


def test_counts_are_those_of_the_images_without_painting_them():
    dataset = SyntheticCells(num_samples=12, scene=SCENE)
    counts = [len(dataset.get_data_info(index)['points']) for index in range(12)]
    assert dataset.class_counts().tolist() == [[count] for count in counts]
    assert [len(dataset.get_cat_ids(index)) for index in range(12)] == counts


def test_it_survives_pickling():
    dataset = SyntheticCells(num_samples=4, scene=SCENE)
    again = pickle.loads(pickle.dumps(dataset))
    assert again.get_data_info(3)['img'].tobytes() == dataset.get_data_info(3)['img'].tobytes()


def test_a_limit_of_counts_wraps_it():
    dataset = LowerCounts(SyntheticCells(num_samples=6, scene=SCENE), limit=4)
    info = dataset.get_data_info(0)
    assert not {'points', 'bboxes', 'labels', 'radii', 'counts'} & set(info)
    assert info['image_counts'].max() <= 5
    assert dataset.class_counts().max() <= 5


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'subset': 'training'}, "subset must be one of .* got 'training'"),
        ({'num_samples': 0}, 'num_samples must be >= 1'),
        ({'seed': -1}, 'seed and warmup >= 0'),
        ({'warmup': -1}, 'warmup=-1'),
        ({'metainfo': {'classes': ('a', 'b')}}, 'cells are one class'),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SyntheticCells(**({'num_samples': 2} | options))


def test_images_of_the_warmup_become_as_different_as_the_options_allow():
    options = dict(canvas=(64, 64), radius=(3, 9), radius_spread=0, coverage=0.3, empty_prob=0)
    dataset = SyntheticCells(num_samples=400, warmup=200, scene=options)

    def radii(indices):
        return [dataset.make_scene(index, paint=False).radii.mean() for index in indices]

    assert np.ptp(radii(range(0, 10))) < 0.5
    assert np.ptp(radii(range(90, 110))) < 3.5
    assert np.ptp(radii(range(200, 240))) > 4
    plain = SyntheticCells(num_samples=400, scene=options)
    assert plain.get_data_info(200)['img'].tobytes() == dataset.get_data_info(200)['img'].tobytes()
