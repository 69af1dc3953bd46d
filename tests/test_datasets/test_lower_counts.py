import json
import pickle

import cv2
import numpy as np
import pytest

from mmcount.datasets import (
    AnnotationError,
    COCOCounts,
    CountDataset,
    CountsCSVDataset,
    LowerCounts,
    MNISTLego,
    PointsCSVDataset,
    VGGCells,
    VOCCounts,
)
from mmcount.datasets.data_info import total_counts
from mmcount.datasets.lower_counts import LIMITED_KEYS, limit_counts
from mmcount.registry import DATASETS

LIMIT = 4
LEGO = {'layout': 'single', 'class_mode': 'mixed', 'num_objects': (5, 20), 'part_size': 12, 'classes': (0, 1)}
PIPELINE = [
    {'type': 'mmcount.LoadImage'},
    {'type': 'mmdet.Resize', 'scale': (16, 16), 'keep_ratio': False, 'backend': 'pillow'},
    {'type': 'mmdet.RandomFlip', 'prob': 0.5},
    {'type': 'mmcount.LoadCountAnnotations', 'geometry': 'none'},
    {'type': 'mmcount.PackCountInputs', 'image_counts': 'annotations'},
]


@pytest.fixture
def folder(tmp_path):
    """Two photos of 40x30 px: a.png holds 9 objects, b.png 2."""
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / name), np.zeros((30, 40, 3), np.uint8))
    return tmp_path


def in_memory(folder, **kwargs):
    images = [
        {
            'img_path': str(folder / name),
            'img_id': name,
            'bboxes': [[i, 0, i + 2, 5] for i in range(number)],
            'labels': [0] * number,
            'counts': [1] * number,
            'masks': [np.ones((30, 40), np.uint8)] * number,
            'whatever_a_reader_adds': {'labels': np.zeros(number, np.int64)},
        }
        for name, number in (('a.png', 9), ('b.png', 2))
    ]
    return CountDataset(data_list=images, metainfo={'classes': ('cell',)}, **kwargs)


def points_csv(folder, **kwargs):
    rows = [f'a.png,{i},1' for i in range(9)] + ['b.png,1,1', 'b.png,2,2']
    (folder / 'points.csv').write_text('image,x,y\n' + '\n'.join(rows))
    return PointsCSVDataset(data_root=folder, metainfo={'classes': ('cell',)}, **kwargs)


def counts_csv(folder, **kwargs):
    (folder / 'counts.csv').write_text('image,count\na.png,9\nb.png,2\n')
    return CountsCSVDataset(data_root=folder, metainfo={'classes': ('cell',)}, **kwargs)


def dots(folder, **kwargs):
    for name, number in (('a', 9), ('b', 2)):
        (folder / f'{name}.png').rename(folder / f'{name}cell.png')
        image = np.zeros((30, 40, 3), np.uint8)
        image[3, :number, 2] = 255
        cv2.imwrite(str(folder / f'{name}dots.png'), image)
    return VGGCells(data_root=folder, **kwargs)


def coco(folder, **kwargs):
    annotations = [
        {'id': i, 'image_id': 1 + (i >= 9), 'category_id': 3, 'bbox': [i, 0, 2, 5], 'iscrowd': 0} for i in range(11)
    ]
    content = {
        'images': [{'id': 1 + i, 'file_name': name} for i, name in enumerate(('a.png', 'b.png'))],
        'annotations': annotations,
        'categories': [{'id': 3, 'name': 'cell'}],
    }
    (folder / 'coco.json').write_text(json.dumps(content))
    return COCOCounts(ann_file='coco.json', data_root=folder, **kwargs)


def voc(folder, **kwargs):
    for sub in ('JPEGImages', 'Annotations'):
        (folder / sub).mkdir()
    box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>9</ymax></bndbox>'
    for name, number in (('a', 9), ('b', 2)):
        (folder / f'{name}.png').rename(folder / 'JPEGImages' / f'{name}.jpg')
        objects = f'<object><name>cat</name>{box}</object>' * number
        (folder / 'Annotations' / f'{name}.xml').write_text(f'<annotation>{objects}</annotation>')
    (folder / 'list.txt').write_text('a\nb\n')
    return VOCCounts('list.txt', folder, metainfo={'classes': ('cat',)}, **kwargs)


READERS = [in_memory, points_csv, counts_csv, dots, coco, voc]


@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('read', READERS)
def test_nothing_above_the_limit_leaves_any_reader(folder, read, serialize_data):
    dataset = LowerCounts(read(folder, serialize_data=serialize_data, pipeline=[]), LIMIT)
    assert len(dataset) == 2
    for index, number in enumerate((5, 2)):
        for info in (dataset.get_data_info(index), dataset[index], dataset.dataset.get_data_info(index)):
            assert set(info) <= {*LIMITED_KEYS, 'image_counts', 'count_limit'}
            assert info['image_counts'].tolist() == [number]
            assert info['count_limit'] == LIMIT
            assert info['image_counts'].dtype == np.float32
    assert dataset.class_counts().tolist() == [[5], [2]]
    assert dataset.get_cat_ids(0) == dataset.get_cat_ids(1) == [0]
    # nor is anything hidden in the object, which workers get pickled
    assert b'whatever_a_reader_adds' not in pickle.dumps(dataset)


@pytest.mark.parametrize('read', READERS)
def test_without_a_limit_the_same_reader_tells_all(folder, read):
    assert read(folder).class_counts().tolist() == [[9], [2]]


@pytest.mark.parametrize('read', READERS)
def test_limited_samples_pass_the_pipeline_of_image_level_training(folder, read):
    dataset = LowerCounts(read(folder, pipeline=PIPELINE), LIMIT)
    sample = dataset[0]['data_samples']
    assert dataset[0]['inputs'].shape == (3, 16, 16)
    assert sample.gt_counts.tolist() == [5]
    assert 'gt_instances' not in sample
    assert set(sample.all_keys()) <= {'gt_counts', *sample.metainfo_keys()}


@pytest.mark.parametrize('read', READERS)
@pytest.mark.parametrize('geometry', ['points', 'bboxes', 'counted_bboxes'])
def test_asking_limited_data_for_places_is_an_error(folder, read, geometry):
    pipeline = [{'type': 'mmcount.LoadImage'}, {'type': 'mmcount.LoadCountAnnotations', 'geometry': geometry}]
    with pytest.raises(ValueError, match=r"which image .* does not have; .* use geometry='none'"):
        LowerCounts(read(folder, pipeline=pipeline), LIMIT)[0]


@pytest.mark.parametrize('target', ['objects', 'parts', 'groups'])
def test_nothing_above_the_limit_leaves_mnist_lego(target):
    options = {'num_samples': 6, 'scene': {**LEGO, 'stack_prob': 0.5}, 'target': target, 'with_mask': True}
    full = MNISTLego(**options)
    dataset = LowerCounts(MNISTLego(**options, pipeline=[]), LIMIT)
    true = full.class_counts()
    assert true.max() > LIMIT + 1
    np.testing.assert_array_equal(dataset.class_counts(), np.minimum(true, LIMIT + 1))
    for index in range(6):
        info = dataset[index]
        assert set(info) <= {*LIMITED_KEYS, 'image_counts', 'count_limit'}
        np.testing.assert_array_equal(info['image_counts'], np.minimum(true[index], LIMIT + 1))
        np.testing.assert_array_equal(info['img'], full.get_data_info(index)['img'])
        assert dataset.get_cat_ids(index) == np.flatnonzero(true[index]).tolist()
    few = LowerCounts(MNISTLego(**options, indices=[4, 1]), LIMIT)
    np.testing.assert_array_equal(few.class_counts(), dataset.class_counts()[[4, 1]])


def test_a_reader_that_makes_its_images_itself_cannot_pass_the_limit_by():
    class Careless(CountDataset):
        def get_data_info(self, idx):
            return {**super().get_data_info(idx), 'labels': np.zeros(9, np.int64), 'gt_secret': 9, 'image_counts': [9]}

    image = {'img': np.zeros((4, 4, 3), np.uint8), 'img_id': '0'}
    dataset = LowerCounts(Careless(data_list=[image], metainfo={'classes': ('a',)}, pipeline=[]), LIMIT)
    assert set(dataset[0]) == {'img', 'img_id', 'num_classes', 'sample_idx', 'image_counts', 'count_limit'}
    assert dataset[0]['image_counts'].tolist() == [5]
    assert dataset.class_counts().tolist() == [[5]]


def test_counts_far_above_the_limit_cannot_be_told_from_those_just_above(folder):
    """What reaches a loss is the same byte for byte, whether an image holds 5 objects or 5,000."""

    def packed(number):
        (folder / 'counts.csv').write_text(f'image,count\na.png,{number}\nb.png,{number}\n')
        dataset = LowerCounts(CountsCSVDataset(data_root=folder, pipeline=PIPELINE[:2] + PIPELINE[3:]), LIMIT)
        return [pickle.dumps(dataset[index]['data_samples'].to_dict()) for index in range(2)]

    assert packed(5) == packed(6) == packed(5000)
    assert packed(4) != packed(5)


@pytest.mark.parametrize('limit', [-1, 2.5, True, float('nan')])
def test_a_wrong_limit_is_refused(limit):
    image = {'img': np.zeros((4, 4, 3), np.uint8), 'img_id': '0', 'image_counts': [0]}
    with pytest.raises(ValueError, match='limit must be a whole number of at least 0'):
        LowerCounts(CountDataset(data_list=[image], metainfo={'classes': ('a',)}), limit)


@pytest.mark.parametrize('limit', [4, None])
def test_the_old_option_is_refused_with_the_new_form(folder, limit):
    message = (
        f"no option 'count_limit' any more: wrap .*LowerCounts', limit={limit}, dataset=.*'mmcount.CountsCSVDataset'"
    )
    with pytest.raises(TypeError, match=message):
        counts_csv(folder, count_limit=limit)


def test_another_wrapper_inside_is_refused_with_the_right_order(folder):
    inner = {'type': 'mmdet.RepeatDataset', 'times': 2, 'dataset': {'type': 'mmcount.MNISTLego', 'num_samples': 1}}
    with pytest.raises(TypeError, match=r"needs a CountDataset, got RepeatDataset: .*dict\(type='RepeatDataset'"):
        DATASETS.build({'type': 'mmcount.LowerCounts', 'limit': 4, 'dataset': inner})


def test_an_image_without_counts_is_refused_by_name(folder):
    images = [{'img_path': 'nobody.png', 'img_id': 'nobody', 'unlabelled': True}]
    with pytest.raises(AnnotationError, match=r'nobody\.png: has no annotation to count'):
        LowerCounts(CountDataset(data_list=images, metainfo={'classes': ('a',)}), LIMIT)


def test_annotations_are_read_with_the_first_image_on_demand(folder):
    for first in (lambda data: data[0], lambda data: data.get_data_info(0), lambda data: data.class_counts(),
                  lambda data: data.get_cat_ids(0)):  # fmt: skip
        dataset = LowerCounts(counts_csv(folder, lazy_init=True, pipeline=[]), LIMIT, lazy_init=True)
        first(dataset)
        assert dataset[0]['image_counts'].tolist() == [5]


def test_class_balanced_sampling_goes_around_it(folder):
    counts_csv(folder)
    reader = {'type': 'mmcount.CountsCSVDataset', 'data_root': str(folder), 'pipeline': PIPELINE}
    limited = {'type': 'mmcount.LowerCounts', 'limit': LIMIT, 'dataset': reader}
    balanced = DATASETS.build({'type': 'mmdet.ClassBalancedDataset', 'oversample_thr': 0.5, 'dataset': limited})
    assert [balanced[index]['data_samples'].gt_counts.tolist() for index in range(2)] == [[5], [2]]
    joined = DATASETS.build({'type': 'mmdet.ConcatDataset', 'datasets': [limited, limited]})
    assert joined.metainfo['classes'] == ('object',)
    assert joined[2]['data_samples'].gt_counts.tolist() == [5]


def test_a_limit_of_zero_tells_presence_only(folder):
    assert LowerCounts(counts_csv(folder), 0).class_counts().tolist() == [[1], [1]]


def test_limiting_twice_changes_nothing_and_leaves_its_input_alone():
    info = {'img_id': 'a', 'labels': np.array([0] * 9 + [1]), 'ignore_flags': [True] + [False] * 9}
    once = limit_counts(info, LIMIT, 3)
    assert once['image_counts'].tolist() == limit_counts(once, LIMIT, 3)['image_counts'].tolist() == [5, 1, 0]
    assert total_counts(info, 3).tolist() == [8, 1, 0]
    assert len(info['labels']) == 10


def test_it_builds_from_a_config_with_a_wrapper():
    reader = {'type': 'mmcount.MNISTLego', 'num_samples': 2, 'scene': LEGO, 'pipeline': PIPELINE}
    dataset = {'type': 'mmcount.LowerCounts', 'limit': 1, 'dataset': reader}
    wrapped = DATASETS.build({'type': 'mmdet.RepeatDataset', 'times': 2, 'dataset': dataset})
    assert all(wrapped[index]['data_samples'].gt_counts.max() == 2 for index in range(4))
