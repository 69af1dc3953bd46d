import hashlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

from mmcount.datasets.lego import MNISTLego
from mmcount.registry import DATASETS

QUICK = {'layout': 'single', 'merge_classes': True, 'class_mode': 'mixed', 'num_objects': (0, 20), 'part_size': 12}
STACKED = {**QUICK, 'merge_classes': False, 'stack_prob': 0.6}
CONTRACT = ('points', 'bboxes', 'labels', 'counts')


def digest(info):
    total = hashlib.sha256(np.ascontiguousarray(info['img']).tobytes())
    for level in ('objects', 'parts', 'groups'):
        for key in sorted(info[level]):
            total.update(info[level][key].tobytes())
    for key in CONTRACT:
        total.update(info[key].tobytes())
    return total.hexdigest()


def test_same_scene_again_is_identical_to_the_byte():
    first, second = (MNISTLego(num_samples=5, scene=STACKED, target='groups') for _ in range(2))
    # Another order of access must not matter.
    digests = [digest(second.get_data_info(i)) for i in reversed(range(5))][::-1]
    assert [digest(first.get_data_info(i)) for i in range(5)] == digests
    assert len(set(digests)) == 5


def test_another_process_makes_identical_bytes():
    code = (
        'import hashlib, numpy as np\n'
        'from mmcount.datasets.lego import SceneOptions, load_parts, make_scene\n'
        'for i in range(3):\n'
        f'    scene = make_scene(SceneOptions(**{STACKED!r}), load_parts(), np.random.default_rng([0, 0, i]))\n'
        '    print(hashlib.sha256(scene.image.tobytes() + scene.boxes.tobytes()).hexdigest())\n'
    )
    other = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.split()
    dataset = MNISTLego(scene=STACKED)
    here = [dataset.get_data_info(i) for i in range(3)]
    mine = [hashlib.sha256(info['img'][:, :, 0].tobytes() + info['bboxes'].tobytes()).hexdigest() for info in here]
    assert mine == other


def test_seed_and_subset_change_every_scene():
    digests = {
        digest(MNISTLego(subset=subset, seed=seed, scene=QUICK).get_data_info(0))
        for subset in ('train', 'val', 'test')
        for seed in (0, 1)
    }
    assert len(digests) == 6


def test_contract_of_data_info():
    dataset = MNISTLego(num_samples=4, scene=QUICK, with_mask=True)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        number = len(info['points'])
        assert info['img'].dtype == np.uint8
        assert info['img'].shape == (128, 128, 3) == (info['height'], info['width'], 3)
        assert info['img'].flags.c_contiguous
        shapes = {'points': (number, 2), 'bboxes': (number, 4), 'labels': (number,), 'counts': (number,)}
        dtypes = {'points': np.float32, 'bboxes': np.float32, 'labels': np.int64, 'counts': np.int64}
        assert {key: info[key].shape for key in CONTRACT} == shapes
        assert {key: info[key].dtype for key in CONTRACT} == dtypes
        assert len(info['masks']) == number
        assert info['num_classes'] == dataset.num_classes == 1
        np.testing.assert_allclose(info['points'], (info['bboxes'][:, :2] + info['bboxes'][:, 2:] - 1) / 2)
    assert len({dataset.get_data_info(i)['img_id'] for i in range(4)}) == 4


def test_target_selects_the_level():
    for target, classes in (('objects', 10), ('parts', 10), ('groups', 10)):
        dataset = MNISTLego(num_samples=6, scene=STACKED, target=target, with_mask=True)
        assert dataset.num_classes == classes
        for index in range(6):
            info = dataset.get_data_info(index)
            for key in ('points', 'bboxes', 'labels'):
                np.testing.assert_array_equal(info[key], info[target][key])
            assert info['counts'].sum() == len(info['objects']['labels'])
            assert len(info['masks']) == len(info['bboxes'])
    assert info['counts'].tolist() == info['groups']['counts'].tolist()


def test_parts_of_three_digit_objects_are_ten_classes():
    dataset = MNISTLego(scene={'num_objects': 2}, target='parts')
    info = dataset.get_data_info(0)
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert len(info['points']) == 6
    assert info['parts']['object_ids'].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize('target', ['objects', 'parts', 'groups'])
def test_class_counts_equal_the_counts_of_the_made_scenes(target):
    dataset = MNISTLego(num_samples=8, scene=STACKED, target=target)
    expected = np.zeros((8, 10), dtype=np.int64)
    for index in range(8):
        info = dataset.get_data_info(index)
        np.add.at(expected[index], info['labels'], info['counts'])
    np.testing.assert_array_equal(dataset.class_counts(), expected)
    np.testing.assert_array_equal(dataset.get_subset([6, 1]).class_counts(), expected[[6, 1]])


def test_class_counts_of_no_scenes_have_a_column_per_class():
    assert MNISTLego(num_samples=0, scene=STACKED).class_counts().shape == (0, 10)


def test_subset_and_indices_keep_the_scenes():
    dataset = MNISTLego(num_samples=10, scene=QUICK)
    wanted = digest(dataset.get_data_info(7))
    assert digest(dataset.get_subset([2, 7]).get_data_info(1)) == wanted
    assert digest(MNISTLego(num_samples=10, scene=QUICK, indices=[7]).get_data_info(0)) == wanted
    assert len(MNISTLego(num_samples=10, indices=3)) == 3


def test_pickled_dataset_is_small_and_makes_the_same_scenes():
    dataset = MNISTLego(num_samples=10, scene=QUICK)
    expected = digest(dataset.get_data_info(3))
    data = pickle.dumps(dataset)
    assert len(data) < 20_000
    assert digest(pickle.loads(data).get_data_info(3)) == expected


def test_changing_what_was_returned_does_not_change_the_next_answer():
    dataset = MNISTLego(num_samples=1, scene=QUICK)
    info = dataset.get_data_info(0)
    expected = digest(info)
    for key in ('img', *CONTRACT):
        info[key][:] = 0
    assert digest(dataset.get_data_info(0)) == expected


def test_category_ids_are_the_labels():
    dataset = MNISTLego(num_samples=3, scene=STACKED, target='groups')
    assert all(dataset.get_cat_ids(i) == dataset.get_data_info(i)['labels'].tolist() for i in range(3))


def test_registry_builds_it_from_a_config():
    config = {
        'type': 'mmcount.MNISTLego',
        'num_samples': 3,
        'scene': {'layout': 'single', 'num_objects': [1, 2]},
        'metainfo': {'classes': ('zero', *'123456789')},
        'pipeline': [{'type': 'mmdet.LoadImageFromNDArray'}],
    }
    dataset = DATASETS.build(config)
    assert dataset.metainfo['classes'][0] == 'zero'
    assert dataset[2]['img_shape'] == (128, 128)


@pytest.mark.parametrize(
    ('wrong', 'error', 'message'),
    [
        ({'subset': 'training'}, ValueError, "'train', 'val', 'test'"),
        ({'target': 'boxes'}, ValueError, 'target must be one of'),
        ({'num_samples': -1}, ValueError, 'num_samples=-1'),
        ({'scene': {'canvass': 3}}, TypeError, 'canvass'),
        ({'metainfo': {'classes': ('a', 'b')}}, ValueError, 'names 2 classes .* but the scenes have 100'),
        ({'digits': 'no_such_folder'}, FileNotFoundError, 'no_such_folder'),
    ],
)
def test_wrong_argument_is_named(wrong, error, message):
    with pytest.raises(error, match=message):
        MNISTLego(**wrong)


def test_kept_scenes_are_the_same_and_cannot_be_spoilt():
    options = {'num_samples': 3, 'scene': QUICK, 'with_mask': True}
    kept, made = MNISTLego(**options, keep_scenes=True), MNISTLego(**options)
    for _ in range(2):
        for index in range(3):
            one, other = kept.get_data_info(index), made.get_data_info(index)
            assert np.array_equal(one['img'], other['img'])
            assert np.array_equal(one['points'], other['points'])
            assert all(np.array_equal(a, b) for a, b in zip(one['masks'], other['masks'], strict=True))
            # A transform that writes in place.
            one['img'][:], one['points'][:], one['bboxes'][:], one['labels'][:] = 0, 0, 0, 0
    assert kept.make_scene(0) is kept.make_scene(0)
