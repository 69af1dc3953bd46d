import json

import numpy as np
import pytest
from mmengine.dataset import Compose

from mmcount.datasets import AnnotationError, COCOCounts, CountedCocoDataset

LOADING = Compose([{'type': 'mmcount.LoadCountAnnotations', 'geometry': 'counted_bboxes'}])


def annotation(image, category, box=(1, 2, 3, 4), **more):
    return {'image_id': image, 'category_id': category, 'bbox': list(box), **more}


def content():
    return {
        'images': [
            {'id': 5, 'file_name': 'a.jpg', 'height': 20, 'width': 30},
            {'id': 2, 'file_name': 'b.jpg', 'height': 20, 'width': 30},
            {'id': 9, 'file_name': 'c.jpg', 'height': 8, 'width': 30},
        ],
        'annotations': [
            annotation(5, 1, count=12),
            annotation(5, 4, (0, 0, 0.5, 9), count=3),
            annotation(5, 1),
            annotation(5, 4, (30, 0, 5, 5), count=2),
            annotation(5, 4, (2, 2, 5, 5), count=7, area=0),
            annotation(5, 4, (-3, -3, 9, 9), count=1, iscrowd=1),
            annotation(9, 4, count=4),
        ],
        'categories': [{'id': 4, 'name': 'jar'}, {'id': 1, 'name': 'can'}],
    }


def read(folder, data=None, kind=CountedCocoDataset, **options):
    (folder / 'train.json').write_text(json.dumps(content() if data is None else data))
    return kind(ann_file='train.json', data_root=folder, **options)


def test_counts_stay_with_the_boxes_that_are_left(tmp_path):
    dataset = read(tmp_path)
    info = dataset.get_data_info(0)
    assert info['bboxes'].tolist() == [[1, 2, 4, 6], [1, 2, 4, 6], [-3, -3, 6, 6]]
    assert info['counts'].tolist() == [12, 1, 1]
    assert info['labels'].tolist() == [0, 0, 1]
    assert info['ignore_flags'].tolist() == [False, False, True]  # a crowd region
    boxes = LOADING({**info, 'img_shape': (20, 30)})['gt_bboxes']
    assert boxes.tensor[:, 4].tolist() == [12, 1, 1]


def test_image_counts_are_those_of_every_annotation(tmp_path):
    assert read(tmp_path).class_counts().tolist() == [[13, 12], [0, 0], [0, 4]]
    assert read(tmp_path, kind=COCOCounts).class_counts().tolist() == [[13, 13], [0, 0], [0, 4]]


def test_what_is_left_out_is_reported(tmp_path):
    dataset = read(tmp_path, filter_empty_gt=True, min_size=10)
    assert len(dataset) == 1
    assert {name: dataset.findings.number(name) for name in dataset.findings} == {
        'boxes under one pixel, left out': 2,
        'boxes outside of their image, left out': 1,
        'images without boxes, left out': 1,
        'images with a side under min_size, left out': 1,
    }


def test_nothing_is_left_out_of_a_data_set_of_counts(tmp_path):
    assert len(read(tmp_path, kind=COCOCounts).get_data_info(0)['bboxes']) == 6


def test_files_without_counts_are_plain_boxes(tmp_path):
    data = content()
    for one in data['annotations']:
        one.pop('count', None)
    info = read(tmp_path, data).get_data_info(0)
    assert 'counts' not in info
    assert LOADING({**info, 'img_shape': (20, 30)})['gt_bboxes'].counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'count': 0}, r'annotations\[2\]: the count is 0'),
        ({'count': 1.5}, r'annotations\[2\]: the count is 1.5'),
        ({'count': True}, r'annotations\[2\]: the count is True'),
        ({'count': None}, r'annotations\[2\]: the count is None'),
        ({'bbox': [1, 2, -3, 4]}, r'annotations\[2\]: the bbox is'),
        ({'bbox': None}, r'annotations\[2\] has no bbox'),
    ],
)
def test_bad_annotations_are_named_or_left_out(tmp_path, change, message):
    data = content()
    data['annotations'][2].update(change)
    with pytest.raises(AnnotationError, match=message):
        read(tmp_path, data)
    dataset = read(tmp_path, data, on_error='skip')
    assert dataset.get_data_info(0)['counts'].tolist() == [12, 1]
    assert dataset.findings['bad records, left out'].number == 1


def test_masks_stay_with_their_boxes(tmp_path):
    data = content()
    for index, one in enumerate(data['annotations']):
        one['segmentation'] = [[0, 0, index + 1, 0, index + 1, 5]]
    info = read(tmp_path, data, with_mask=True).get_data_info(0)
    assert [mask[0][2] for mask in info['masks']] == [1, 3, 6]
    assert len(info['masks']) == len(info['bboxes'])


def test_the_data_set_of_counts_still_reads_counts_as_whole_numbers(tmp_path):
    info = read(tmp_path, kind=COCOCounts).get_data_info(0)
    assert info['counts'].dtype == np.int64
    assert info['counts'].tolist() == [12, 3, 1, 2, 7, 1]
