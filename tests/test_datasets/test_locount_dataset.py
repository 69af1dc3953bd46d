import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmcount.apis.dataset_converters.locount_convert import locount_to_coco, write_coco
from mmcount.datasets import AnnotationError, LocountDataset
from mmcount.datasets.formats.locount_classes import LOCOUNT_CLASSES
from mmcount.datasets.formats.locount_text import (
    LocountBoxes,
    format_locount,
    list_locount,
    locount_label,
    parse_locount,
)

FILES = {
    '0003.txt': '10,20,110,220,Tea,12\n30,40,60,90,Baby handkerchiefs ,1\n',
    '12.txt': '',
    '0007.txt': (
        '1,2,300,400,Fresh-keeping film,56\r\n\r\n5,5,5,50,Tea,2\n1900,1000,1960,1100,Mug,3\n1920,0,1950,9,Mug,4\n'
    ),
}


@pytest.fixture
def root(tmp_path):
    for part, folder in (('annotation_train', 'Locount_ImagesTrain'),):
        (tmp_path / part).mkdir()
        (tmp_path / folder).mkdir()
        for name, text in FILES.items():
            (tmp_path / part / name).write_bytes(text.encode())
            (tmp_path / folder / name.replace('.txt', '.jpg')).touch()
        (tmp_path / part / 'readme.txt').touch()
    return tmp_path


def read(root, ann_file='annotation_train', **options):
    return LocountDataset(ann_file=ann_file, data_root=str(root), data_prefix={'img': 'Locount_ImagesTrain'}, **options)


def info_of(dataset, img_id):
    return next(one for one in map(dataset.get_data_info, range(len(dataset))) if one['img_id'] == img_id)


def test_there_are_140_classes_that_differ_and_begin_and_end_as_published():
    assert len({name.strip() for name in LOCOUNT_CLASSES}) == 140
    assert (LOCOUNT_CLASSES[0], LOCOUNT_CLASSES[4], LOCOUNT_CLASSES[21], LOCOUNT_CLASSES[139]) == (
        'Baby diapers', 'Baby handkerchiefs ', 'Tea', 'Fresh-keeping film',
    )  # fmt: skip


def test_blanks_around_a_class_do_not_matter_and_unknown_ones_are_named():
    assert [locount_label(name) for name in ('Tea', ' Tea ', 'Baby handkerchiefs')] == [21, 21, 4]
    with pytest.raises(ValueError, match="'tea' is none of the 140 of Locount; did you mean 'Tea'"):
        locount_label('tea')


def test_every_box_of_the_text_files_is_read_with_its_count(root):
    dataset = read(root)
    assert [dataset.get_data_info(index)['img_id'] for index in range(3)] == ['3', '7', '12']
    first = info_of(dataset, '3')
    assert first['img_path'].endswith('Locount_ImagesTrain/0003.jpg')
    assert first['bboxes'].tolist() == [[10, 20, 110, 220], [30, 40, 60, 90]]
    assert (first['labels'].tolist(), first['counts'].tolist()) == ([21, 4], [12, 1])
    assert (first['height'], first['width']) == (1080, 1920)
    assert len(info_of(dataset, '12')['bboxes']) == 0


def test_boxes_without_area_or_outside_are_left_out_and_reported_and_still_count(root):
    dataset = read(root)
    info = info_of(dataset, '7')
    assert info['labels'].tolist() == [139, LOCOUNT_CLASSES.index('Mug')]
    assert info['counts'].tolist() == [56, 3]
    assert info['image_counts'][21] == 2
    assert info['image_counts'].sum() == 56 + 2 + 3 + 4
    assert {name: dataset.findings.number(name) for name in dataset.findings} == {
        'files that are no annotation of an image': 1,
        'boxes under one pixel, left out': 1,
        'boxes outside of their image, left out': 1,
    }


def test_training_may_leave_out_images_without_boxes(root):
    assert len(read(root)) == 3
    dataset = read(root, filter_empty_gt=True)
    assert [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))] == ['3', '7']
    assert dataset.findings['images without boxes, left out'].example == '12.jpg'


def test_a_json_file_and_the_text_files_give_the_same(root):
    write_coco(locount_to_coco(root / 'annotation_train'), root / 'train.json')
    first, second = read(root), read(root, 'train.json')
    assert len(first) == len(second)
    assert first.metainfo == second.metainfo
    for index in range(len(first)):
        one, other = first.get_data_info(index), second.get_data_info(index)
        assert one['img_path'] == other['img_path']
        for key in ('img_id', 'height', 'width', 'bboxes', 'labels', 'ignore_flags', 'image_counts'):
            assert np.array_equal(one[key], other[key]), key
        assert np.array_equal(one['counts'], other.get('counts', []))


def test_a_json_file_with_class_names_without_blanks_is_read(root):
    content = locount_to_coco(root / 'annotation_train')
    for category in content['categories']:
        category['name'] = f' {category["name"].strip()}'
    write_coco(content, root / 'train.json')
    assert info_of(read(root, 'train.json'), '3')['labels'].tolist() == [21, 4]


def test_chosen_classes_are_numbered_anew_and_boxes_of_others_left_out(root):
    dataset = read(root, metainfo={'classes': ('Baby handkerchiefs', 'Tea')})
    assert info_of(dataset, '3')['labels'].tolist() == [1, 0]
    assert len(info_of(dataset, '7')['labels']) == 0
    with pytest.raises(ValueError, match="'Teas' is none of the 140 classes of Locount; did you mean 'Tea'"):
        read(root, metainfo={'classes': ('Teas',)})


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('1,2,3,4,Tee,1', "class 'Tee' is none of the 140"),
        ('1,2,3,4,Tea', 'has 5 fields, expected 6'),
        ('1,2,3,4,Tea,1,9', 'has 7 fields, expected 6'),
        ('1,2,x,4,Tea,1', "'x' is no finite number"),
        ('1,2,1_0,4,Tea,1', "'1_0' is no finite number"),
        ('1,2,3,4,Tea,1_0', "count is '1_0', expected a whole number"),
        ('1,2,nan,4,Tea,1', "'nan' is no finite number"),
        ('1,2,3,4,Tea,0', "count is '0', expected a whole number"),
        ('1,2,3,4,Tea,2.5', "count is '2.5', expected a whole number"),
        ('1,2,3,4,Tea,', "count is '', expected a whole number"),
        ('9,2,3,4,Tea,1', r'second corner \(3, 4\) lies left of or above the first one \(9, 2\)'),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line_or_left_out(root, line, message):
    file = root / 'annotation_train' / '12.txt'
    file.write_text(f'1,2,3,4,Tea,1\n{line}\n5,6,7,8,Tea,2\n')
    with pytest.raises(AnnotationError, match=message) as error:
        read(root)
    assert (error.value.file, error.value.line) == (str(file), 2)
    dataset = read(root, on_error='skip')
    assert info_of(dataset, '12')['counts'].tolist() == [1, 2]  # no class of an earlier line is used again
    finding = dataset.findings['bad records, left out']
    assert finding.number == 1
    assert f'{file}, line 2' in finding.example


def test_a_file_that_is_no_text_is_named_or_left_out(root):
    (root / 'annotation_train' / '12.txt').write_bytes(b'1,2,3,4,Tea,1\n\xff\xfe')
    with pytest.raises(AnnotationError, match=r'12\.txt, line 2: is not utf-8'):
        read(root)
    assert len(read(root, on_error='skip')) == 2


def test_missing_images_are_named_or_left_out(root):
    (root / 'Locount_ImagesTrain' / '0007.jpg').unlink()
    with pytest.raises(AnnotationError, match=r'0007\.txt: has no image 0007\.jpg in .*; 1 of 3 are missing'):
        read(root)
    dataset = read(root, on_error='skip')
    assert len(dataset) == 2
    assert dataset.findings['images that are not there, left out'].example == '0007.jpg'


def test_missing_and_wrong_folders_are_named(root, tmp_path):
    with pytest.raises(FileNotFoundError, match='annotation_test'):
        read(root, 'annotation_test')
    with pytest.raises(AnnotationError, match=r'holds no file <digits>\.txt'):
        list_locount(str(root / 'Locount_ImagesTrain'))
    (root / 'annotation_train' / '7.txt').touch()
    with pytest.raises(AnnotationError, match=r'7\.txt: has the number 7 of 0007\.txt'):
        read(root)


def test_sizes_may_be_read_from_the_images(root):
    for name in FILES:
        Image.fromarray(np.zeros((500, 400, 3), np.uint8)).save(
            root / 'Locount_ImagesTrain' / name.replace('.txt', '.jpg')
        )
    dataset = read(root, img_shape=None)
    info = info_of(dataset, '7')
    assert (info['height'], info['width']) == (500, 400)
    assert info['counts'].tolist() == [56]  # the other boxes lie outside of an image this small
    with pytest.raises(ValueError, match='has no images'):
        read(root, img_shape=None, min_size=401)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'on_error': 'ignore'}, 'on_error must be one of'),
        ({'min_size': -1}, 'min_size must be at least 0'),
        ({'img_shape': (0, 5)}, 'img_shape must be None or'),
        ({'split_rule': 'cev'}, 'are for JSON files'),
    ],
)
def test_wrong_options_are_named(root, options, message):
    with pytest.raises(ValueError, match=message):
        read(root, **options)


NUMBERS = st.integers(-5, 3000) | st.floats(0, 3000, allow_nan=False).map(lambda value: round(value, 3))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(
        st.tuples(NUMBERS, NUMBERS, st.integers(0, 500), st.integers(0, 500), st.integers(0, 139), st.integers(1, 56)),
        max_size=6,
    )
)
def test_what_is_written_is_read_again(rows):
    boxes = LocountBoxes(
        [(x, y, x + width, y + height) for x, y, width, height, *_ in rows],
        [label for *_, label, _ in rows],
        [count for *_, count in rows],
        list(range(1, len(rows) + 1)),
    )
    text = format_locount(boxes)
    assert parse_locount(text) == boxes
    assert format_locount(parse_locount(text)) == text


def test_json_of_other_makers_needs_no_sizes(root):
    content = json.loads(json.dumps(locount_to_coco(root / 'annotation_train')))
    for image in content['images']:
        del image['height'], image['width']
    write_coco(content, root / 'train.json')
    assert info_of(read(root, 'train.json'), '7')['counts'].tolist() == [56, 3, 4]
