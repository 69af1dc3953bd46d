import json

import numpy as np
import pytest
from mmengine.dataset import Compose
from PIL import Image
from pycocotools import mask as coco_mask

from benchmarks.real_data import data_root
from mmcount.datasets import AnnotationError, COCOCounts, count_dataset
from mmcount.datasets.formats.coco_splits import half_of, image_order

PIPELINE = Compose(
    [
        {'type': 'mmcount.LoadImage'},
        {'type': 'mmdet.Resize', 'scale': (448, 448), 'keep_ratio': False, 'backend': 'pillow'},
        {'type': 'mmcount.LoadCountAnnotations', 'geometry': 'bboxes', 'with_mask': True},
        {'type': 'mmcount.PackCountInputs', 'image_counts': 'annotations'},
    ]
)


def annotation(image, category, box=(1, 2, 3, 4), **more):
    return {'image_id': image, 'category_id': category, 'bbox': list(box), 'iscrowd': 0, **more}


def content():
    """Ids neither ordered nor dense; image 3 without annotation; annotations not ordered by image."""
    return {
        'images': [
            {'id': one, 'file_name': f'COCO_train2014_{one:012}.jpg', 'height': 20, 'width': 30}
            for one in (9, 3, 7, 5, 1)
        ],
        'annotations': [
            annotation(7, 90),
            annotation(1, 2, (0, 0, 0, 0)),
            annotation(7, 2, (-5, -5, 0.5, 0.5)),
            annotation(9, 90, iscrowd=1, segmentation={'size': [20, 30], 'counts': [0, 40, 560]}),
            annotation(7, 90),
            annotation(5, 13, area=0),
        ],
        'categories': [{'id': 90, 'name': 'toothbrush'}, {'id': 2, 'name': 'bicycle'}, {'id': 13, 'name': 'stop sign'}],
    }


def read(folder, data=None, **kwargs):
    (folder / 'instances.json').write_text(json.dumps(content() if data is None else data))
    return COCOCounts(ann_file='instances.json', data_root=folder, data_prefix={'img': 'val2014'}, **kwargs)


def ids(dataset):
    return [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]


def test_every_raw_annotation_counts_whatever_its_box_and_crowds_too(tmp_path):
    dataset = read(tmp_path)
    assert dataset.metainfo['classes'] == ('bicycle', 'stop sign', 'toothbrush')  # ascending category id
    assert ids(dataset) == ['9', '3', '7', '5', '1']
    assert dataset.class_counts().tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 2], [0, 1, 0], [1, 0, 0]]
    assert dataset[2]['bboxes'].tolist() == [[1, 2, 4, 6], [-5, -5, -4.5, -4.5], [1, 2, 4, 6]]
    assert dataset[2]['labels'].tolist() == [2, 0, 2]


def test_file_names_are_those_of_the_file_itself(tmp_path):
    assert read(tmp_path)[0]['img_path'] == str(tmp_path / 'val2014' / 'COCO_train2014_000000000009.jpg')


def test_crowds_may_be_left_out_and_are_then_ignored(tmp_path):
    dataset = read(tmp_path, count_crowd=False)
    assert dataset.class_counts()[0].tolist() == [0, 0, 0]
    assert dataset[0]['ignore_flags'].tolist() == [True]


def test_classes_of_metainfo_select_and_order_categories(tmp_path):
    dataset = read(tmp_path, metainfo={'classes': ('toothbrush', 'bicycle')})
    assert dataset.class_counts().tolist() == [[1, 0], [0, 0], [2, 1], [0, 0], [0, 1]]
    with pytest.raises(ValueError, match=r"class 'Bicycle' is none of the 3 categories .*did you mean 'bicycle'"):
        read(tmp_path, metainfo={'classes': ('Bicycle',)})


@pytest.mark.parametrize(
    ('rule', 'val', 'test'),
    [('cev', ['1', '3'], ['5', '7', '9']), ('countseg', ['7', '1'], ['9', '5'])],
)
def test_the_split_rules_halve_the_images_in_their_order(tmp_path, rule, val, test):
    assert ids(read(tmp_path, split_rule=rule, val_half='val')) == val
    assert ids(read(tmp_path, split_rule=rule, val_half='test')) == test
    assert ids(read(tmp_path, split_rule=rule)) == val + test


def test_countseg_drops_images_without_annotation_in_training_and_cev_keeps_them(tmp_path):
    assert '3' not in ids(read(tmp_path, split_rule='countseg'))
    assert '3' in ids(read(tmp_path, split_rule='cev'))


def test_the_sizes_of_the_published_halves_follow_from_the_numbers_of_images():
    """40,504 images of val2014, 367 of them without annotation; the files themselves are not needed for this."""
    rng = np.random.default_rng(0)
    image_ids = rng.choice(600_000, 40_504, replace=False)
    annotated = rng.permutation(image_ids)[367:]
    data = {
        'images': [{'id': int(one)} for one in image_ids],
        'annotations': [{'image_id': int(one)} for one in np.concatenate([annotated, annotated[::3]])],
    }
    halves = {
        (rule, half): half_of(image_order(data, rule), half) for rule in ('cev', 'countseg') for half in ('val', 'test')
    }
    assert [len(one) for one in halves.values()] == [20_252, 20_252, 20_068, 20_069]
    assert max(halves['cev', 'val']) < min(halves['cev', 'test'])
    assert halves['countseg', 'val'] == annotated[:20_068].tolist()
    for rule in ('cev', 'countseg'):
        assert not set(halves[rule, 'val']) & set(halves[rule, 'test'])


def test_a_list_of_the_ids_of_a_half_is_the_same_data_set(tmp_path):
    half = read(tmp_path, split_rule='countseg', val_half='test')
    (tmp_path / 'lists').mkdir()
    (tmp_path / 'lists' / 'test.txt').write_text('9\n5\n')
    again = read(tmp_path, image_list='lists/test.txt')
    assert ids(again) == ['9', '5']
    np.testing.assert_array_equal(again.class_counts(), half.class_counts())


@pytest.mark.parametrize(
    ('listed', 'message'),
    [
        ('9\n4\n', r"list\.txt, line 2: '4' is the id of none of the 5 images"),
        ('9\nx\n', r"line 2: 'x' is the id of none"),
        ('9\n5\n09\n', r'line 3: image 9 is already on line 1'),
        ('', 'the file is empty'),
    ],
)
def test_a_wrong_list_names_the_line(tmp_path, listed, message):
    (tmp_path / 'list.txt').write_text(listed)
    with pytest.raises(AnnotationError, match=message):
        read(tmp_path, image_list='list.txt')


def test_contradicting_or_unknown_splits_are_refused_before_reading():
    for options, message in (
        ({'image_list': 'a.txt', 'split_rule': 'cev'}, 'image_list already says'),
        ({'val_half': 'val'}, "needs split_rule='cev' or 'countseg'"),
        ({'split_rule': 'random'}, "one of .*'cev', 'countseg'"),
        ({'split_rule': 'cev', 'val_half': 'train'}, "val_half must be one of .*'val', 'test'"),
    ):
        with pytest.raises(ValueError, match=message):
            COCOCounts(ann_file='no_such_file.json', **options)
    with pytest.raises(FileNotFoundError, match=r'no_such_file\.json'):
        COCOCounts(ann_file='no_such_file.json')
    assert half_of([1, 2, 3], 'val') == [1]


def broken(**changes):
    data = content()
    for key, value in changes.items():
        if value is None:
            del data[key]
        else:
            data[key] = [*data[key], *value]
    return data


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        ([], 'holds a list, expected an object'),
        (broken(annotations=None), "has no list 'annotations'"),
        (broken(images=[{'id': 4}]), r"images\[5\] lacks \['file_name'\]"),
        (broken(images=[{'id': 9, 'file_name': 'x.jpg'}]), r'images\[5\] has the id 9 of an earlier one'),
        (broken(images=[{'id': '9', 'file_name': 'x.jpg'}]), r"images\[5\] has the id '9', expected an integer"),
        (broken(annotations=[annotation(8, 2)]), r'annotations\[6\] has image_id 8'),
        (broken(annotations=[annotation(9, 3)]), r'annotations\[6\] has category_id 3'),
        (broken(annotations=[annotation(9, 2, (1, 2, -3, 4))]), r'annotations\[6\]: the bbox is \[1, 2, -3, 4\]'),
        (broken(annotations=[annotation(9, 2, (1, 2, 3))]), r'annotations\[6\]: the bbox is'),
        (broken(categories=[{'id': 4, 'name': 'bicycle'}]), r"\['bicycle'\] more than once"),
    ],
)
def test_a_wrong_file_names_the_record(tmp_path, data, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, data)


def test_a_file_that_is_no_json_names_the_line(tmp_path):
    (tmp_path / 'a.json').write_text('{"images": [],\n"annotations": oops}')
    with pytest.raises(AnnotationError, match=r'a\.json, line 2: is no JSON'):
        COCOCounts(ann_file='a.json', data_root=tmp_path)


def test_a_file_of_counts_without_boxes_gives_counts_alone(tmp_path):
    data = content()
    for one in data['annotations']:
        del one['bbox']
    dataset = read(tmp_path, data)
    assert dataset.class_counts().sum() == 6
    assert 'bboxes' not in dataset[0]
    assert 'points' not in dataset[0]


def sample(subset, **kwargs):
    root = data_root('coco_sample')
    if root is None:
        pytest.skip('the COCO sample is not on this machine')
    return COCOCounts(ann_file=f'{subset}.json', data_root=root, data_prefix={'img': subset}, **kwargs)


def test_counts_of_the_real_sample_are_the_annotations_of_its_file():
    dataset = sample('train2017')
    assert (len(dataset), dataset.num_classes) == (64, 80)
    counts = dataset.class_counts()
    assert counts.sum() == 544
    assert sum(len(dataset[index]['bboxes']) for index in range(64)) == 544
    raw = json.loads((data_root('coco_sample') / 'train2017.json').read_text())
    by_id = {category['id']: category['name'] for category in raw['categories']}
    for index in (0, 17, 63):
        names = [by_id[one['category_id']] for one in raw['annotations'] if str(one['image_id']) == ids(dataset)[index]]
        assert counts[index].tolist() == [names.count(name) for name in dataset.metainfo['classes']]


def test_halves_of_the_real_sample_are_disjoint_and_complete():
    halves = [sample('val2017', split_rule='cev', val_half=half) for half in ('val', 'test')]
    assert [len(half) for half in halves] == [16, 16]
    border = [int(one) for half in halves for one in ids(half)]
    assert border == sorted(border)
    assert sum(half.class_counts().sum() for half in halves) == 221


def test_masks_of_the_real_sample_pass_the_pipeline_at_the_size_of_the_photo():
    dataset = sample('val2017', with_mask=True)
    areas, judged, ignored = [], 0, 0
    for index in range(0, 32, 4):
        info = dataset[index]
        packed = PIPELINE({**info})
        got = packed['data_samples']
        assert packed['inputs'].shape == (3, 448, 448)
        assert got.gt_instances.masks.masks.shape == (len(got.gt_instances), *got.ori_shape)
        assert got.gt_counts.sum() == len(info['labels'])
        judged, ignored = judged + len(got.gt_instances), ignored + len(got.ignored_instances)
        for segmentation, ignore in zip(info['masks'], info['ignore_flags'], strict=True):
            if not ignore:
                areas.append(coco_mask.area(coco_mask.merge(coco_mask.frPyObjects(segmentation, *got.ori_shape))))
        assert [int(mask.sum()) for mask in got.gt_instances.masks.masks] == areas[-len(got.gt_instances) :]
    assert judged > 30


def test_objects_without_a_mask_are_ignored_but_counted():
    dataset = sample('train2017', with_mask=True)
    flags = np.concatenate([dataset[index]['ignore_flags'] for index in range(64)])
    assert (flags.size, flags.sum()) == (544, 31)
    assert dataset.class_counts().sum() == 544


def test_a_byte_order_mark_is_read(tmp_path):
    read(tmp_path)
    file = tmp_path / 'instances.json'
    file.write_bytes(b'\xef\xbb\xbf' + file.read_bytes())
    assert len(COCOCounts(ann_file='instances.json', data_root=tmp_path)) == 5


def test_a_file_without_annotations_gives_a_warning_with_file_and_number(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(count_dataset, 'print_log', lambda message, **_: said.append(message))
    assert not read(tmp_path, {**content(), 'annotations': []}).class_counts().any()
    assert len(said) == 1
    assert 'instances.json: all 5 labelled images count zero' in said[0]


def test_an_image_of_another_size_than_its_record_is_refused_with_both(tmp_path):
    (tmp_path / 'val2014').mkdir()
    name = content()['images'][0]['file_name']
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / 'val2014' / name)
    assert read(tmp_path, pipeline=[{'type': 'mmcount.LoadImage'}])[0]['img'].shape == (20, 30, 3)
    Image.fromarray(np.zeros((10, 15, 3), np.uint8)).save(tmp_path / 'val2014' / name)
    with pytest.raises(AnnotationError, match=r'image 9 has 30x20 px .* has 15x10 px'):
        read(tmp_path, pipeline=[{'type': 'mmcount.LoadImage'}])[0]
