import numpy as np
import pytest
from mmengine.dataset import Compose
from PIL import Image

from mmcount.datasets import AnnotationError, LowerCounts, VOCCounts, VOCSegmentationTrain
from mmcount.datasets.formats.voc_annotations import (
    mask_boxes,
    read_voc_list,
    read_voc_xml,
    segmentation_train_names,
    split_instances,
)

SIZE = (20, 30)  # height, width
CLASSES = VOCCounts.METAINFO['classes']
CAT, DOG, PERSON = (CLASSES.index(name) for name in ('cat', 'dog', 'person'))


def voc_object(name, box, difficult=None, extra=''):
    corners = ''.join(
        f'<{key}>{value}</{key}>' for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box, strict=True)
    )
    flag = '' if difficult is None else f'<difficult>{difficult}</difficult>'
    return f'<object><name>{name}</name>{flag}<bndbox>{corners}</bndbox>{extra}</object>'


def write_xml(root, name, *objects, size=SIZE):
    body = f'<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>' + ''.join(objects)
    path = root / 'Annotations' / f'{name}.xml'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<annotation>{body}</annotation>')
    (root / 'JPEGImages').mkdir(exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(root / 'JPEGImages' / f'{name}.jpg')


def write_list(root, path, *names):
    (root / 'ImageSets' / path).parent.mkdir(parents=True, exist_ok=True)
    (root / 'ImageSets' / path).write_text(''.join(f'{name}\n' for name in names))


def write_segmentation(root, name, instances, classes):
    for folder, indices in (('SegmentationObject', instances), ('SegmentationClass', classes)):
        (root / folder).mkdir(exist_ok=True)
        image = Image.fromarray(indices.astype(np.uint8), mode='P')
        image.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
        image.save(root / folder / f'{name}.png')


@pytest.fixture
def voc(tmp_path):
    """a: 2 cats and a difficult one, a person with a head; b: only a difficult dog; c: nothing."""
    part = '<part><name>head</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>7</xmax><ymax>7</ymax></bndbox></part>'
    write_xml(
        tmp_path,
        'a',
        voc_object('cat', (1, 1, 4, 6), 0),
        voc_object('cat', (10, 2, 20, 20)),
        voc_object('cat', (2, 2, 3, 3), 1),
        voc_object('person', ('5.5', '5', '8.0', '19'), 0, part),
    )
    write_xml(tmp_path, 'b', voc_object('dog', (1, 1, 30, 20), 1))
    write_xml(tmp_path, 'c')
    write_list(tmp_path, 'Main/train.txt', 'a', 'b', 'c')
    return tmp_path


def test_classes_are_those_of_mmdet_in_their_order():
    from mmdet.datasets import VOCDataset

    assert VOCDataset.METAINFO['classes'] == CLASSES
    assert len(set(VOCCounts._load_metainfo()['palette'])) == 20


def test_difficult_objects_are_not_counted_but_kept_as_ignored(voc):
    dataset = VOCCounts(data_root=voc)
    counts = dataset.class_counts()
    assert counts.shape == (3, 20)
    assert {(i, c): counts[i, c] for i, c in np.argwhere(counts)} == {(0, CAT): 2, (0, PERSON): 1}
    info = dataset[0]
    assert info['img_path'] == str(voc / 'JPEGImages' / 'a.jpg')
    assert (info['img_id'], info['height'], info['width']) == ('a', *SIZE)
    assert info['labels'].tolist() == [CAT, CAT, CAT, PERSON]
    assert info['ignore_flags'].tolist() == [False, False, True, False]


def test_difficult_objects_may_be_counted(voc):
    dataset = VOCCounts(data_root=voc, count_difficult=True)
    counts = dataset.class_counts()
    assert {(i, c): counts[i, c] for i, c in np.argwhere(counts)} == {(0, CAT): 3, (0, PERSON): 1, (1, DOG): 1}
    assert not dataset[0]['ignore_flags'].any()


def test_an_image_of_a_class_in_difficult_objects_only_is_a_negative_for_it(voc):
    dataset = LowerCounts(VOCCounts(data_root=voc), limit=4)
    assert dataset.get_data_info(1)['image_counts'][DOG] == 0
    assert dataset.get_data_info(1)['image_counts'].sum() == 0
    assert dataset.get_cat_ids(1) == []


def test_pixels_are_numbered_from_one_and_boxes_include_their_last(voc):
    info = VOCCounts(data_root=voc)[0]
    assert info['bboxes'][0].tolist() == [0, 0, 4, 6]
    assert info['points'][0].tolist() == [1.5, 2.5]  # pixels 0..3 and 0..5
    assert info['bboxes'][3].tolist() == [4.5, 4, 8, 19]


def test_game_gets_the_centres_of_the_objects_that_count(voc):
    pipeline = Compose(
        [
            {'type': 'mmcount.LoadImage'},
            {'type': 'mmdet.Resize', 'scale': (44, 44), 'keep_ratio': False, 'backend': 'pillow'},
            {'type': 'mmcount.LoadCountAnnotations', 'geometry': 'points'},
            {'type': 'mmcount.PackCountInputs', 'image_counts': 'annotations'},
        ]
    )
    sample = pipeline(VOCCounts(data_root=voc)[0])['data_samples']
    assert sample.gt_instances.points.tolist() == [[1.5, 2.5], [14, 10], [5.75, 11]]
    assert sample.gt_instances.labels.tolist() == [CAT, CAT, PERSON]
    assert len(sample.ignored_instances.points) == 1
    assert (sample.ori_shape, sample.img_shape) == (SIZE, (44, 44))
    assert sample.gt_counts[CAT] == 2


def segmented(root):
    """Image s: instance 1 a cat, 2 and 4 dogs, rims of void; its XML has a difficult dog."""
    write_xml(root, 's', voc_object('cat', (1, 1, 5, 5)), *[voc_object('dog', (1, 8, 5, 9), flag) for flag in (0, 1)])
    instances, classes = np.zeros(SIZE, int), np.zeros(SIZE, int)
    for number, label, rows, columns in (
        (1, CAT, (0, 5), (0, 5)),
        (2, DOG, (8, 10), (0, 5)),
        (4, DOG, (12, 20), (9, 30)),
    ):
        instances[slice(*rows), slice(*columns)] = number
        classes[slice(*rows), slice(*columns)] = label + 1
    instances[:, 5], classes[:, 5] = 255, 255
    write_segmentation(root, 's', instances, classes)
    write_list(root, 'Segmentation/val.txt', 's')
    return instances


def test_masks_come_from_the_segmentation_images(tmp_path):
    instances = segmented(tmp_path)
    dataset = VOCCounts('ImageSets/Segmentation/val.txt', tmp_path, with_mask=True)
    info = dataset[0]
    assert info['labels'].tolist() == [CAT, DOG, DOG]
    assert info['bboxes'].tolist() == [[0, 0, 5, 5], [0, 8, 5, 10], [9, 12, 30, 20]]
    assert dataset.class_counts()[0, [CAT, DOG]].tolist() == [1, 1]  # the difficult dog is not counted
    pipeline = Compose(
        [
            {'type': 'mmcount.LoadImage'},
            {'type': 'mmdet.Resize', 'scale': (64, 64), 'keep_ratio': False},
            {'type': 'mmcount.LoadCountAnnotations', 'geometry': 'bboxes', 'with_mask': True},
            {'type': 'mmcount.PackCountInputs', 'image_counts': 'annotations'},
        ]
    )
    sample = pipeline(info)['data_samples']
    np.testing.assert_array_equal(sample.gt_instances.masks.masks, [instances == number for number in (1, 2, 4)])
    np.testing.assert_array_equal(sample.gt_void_mask.numpy(), instances == 255)
    assert sample.gt_void_mask.sum() == 20


def test_segmentation_images_that_do_not_fit_are_refused(tmp_path):
    segmented(tmp_path)
    wrong = np.zeros(SIZE, int)
    wrong[0, 0] = 1
    with pytest.raises(AnnotationError, match=r'instance 1 has the class indices \[0\], expected one of 1\.\.20'):
        split_instances(wrong, np.zeros_like(wrong), 20, 'x.png')
    with pytest.raises(AnnotationError, match=r'is \(20, 30\) \(height, width\), but its image of classes \(2, 2\)'):
        split_instances(wrong, np.zeros((2, 2), int), 20)
    write_xml(tmp_path, 's', size=(9, 9))
    with pytest.raises(AnnotationError, match=r's\.png: is \(20, 30\) .* but its annotation says \(9, 9\)'):
        VOCCounts('ImageSets/Segmentation/val.txt', tmp_path, with_mask=True)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / 'SegmentationObject' / 's.png')
    with pytest.raises(AnnotationError, match='pixels of kind RGB, expected a palette image'):
        VOCCounts('ImageSets/Segmentation/val.txt', tmp_path, with_mask=True)
    (tmp_path / 'SegmentationObject' / 's.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'SegmentationObject/s\.png'):
        VOCCounts('ImageSets/Segmentation/val.txt', tmp_path, with_mask=True)


def test_boxes_of_masks_touch_their_first_and_last_pixels():
    masks = np.random.default_rng(0).random((5, 9, 7)) < 0.15
    masks[:, 4, 3] = True
    for mask, box in zip(masks, mask_boxes(list(masks)), strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_the_training_list_of_weak_segmentation_follows_its_rule():
    names = [f'{i:02}' for i in range(12)]
    trainval, sbd, seg_train, seg_val = names[:8], names[4:10], names[7:9] + names[10:11], names[4:6]
    first, second = segmentation_train_names(trainval, sbd, seg_train, seg_val)
    assert first == names[6:8]
    assert second == [names[8], names[10]]
    assert not set(first + second) & set(seg_val)


def test_the_training_set_of_weak_segmentation_counts_boxes_or_masks(voc):
    segmented(voc)
    write_list(voc, 'Main/trainval.txt', 'a', 'b', 'c')
    write_list(voc, 'Segmentation/train.txt', 's')
    write_list(voc, 'Segmentation/val.txt', 'c')
    for name, images in (('train', ('b', 'c')), ('val', ('a', 'z'))):
        (voc / f'sbd_{name}.txt').write_text('\n'.join(images))
    dataset = VOCSegmentationTrain(data_root=voc, sbd_lists=('sbd_train.txt', 'sbd_val.txt'))
    assert [dataset[i]['img_id'] for i in range(3)] == ['a', 'b', 's']
    counts = dataset.class_counts()
    # difficult ones included in a and b; s has two dogs in its masks
    assert {(i, c): counts[i, c] for i, c in np.argwhere(counts)} == {
        (0, CAT): 3, (0, PERSON): 1, (1, DOG): 1, (2, CAT): 1, (2, DOG): 2,
    }  # fmt: skip
    assert 'masks' not in dataset[2]
    np.testing.assert_array_equal(LowerCounts(dataset, limit=1).class_counts(), np.minimum(counts, 2))
    with pytest.raises(ValueError, match='no segmentation'):
        VOCSegmentationTrain(data_root=voc, with_mask=True)


def test_lists_of_one_class_are_read_too(tmp_path):
    write_list(tmp_path, 'Main/cat_train.txt', '000012 -1', '000017  1', '', '000023  0')
    assert read_voc_list(str(tmp_path / 'ImageSets/Main/cat_train.txt')) == [
        ('000012', 1),
        ('000017', 2),
        ('000023', 4),
    ]
    write_list(tmp_path, 'Main/cat_train.txt', 'a', 'b', 'a')
    with pytest.raises(AnnotationError, match=r"cat_train\.txt, line 3: image 'a' is already on line 1"):
        read_voc_list(str(tmp_path / 'ImageSets/Main/cat_train.txt'))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation><object>', r'a\.xml, line 1: is no well-formed XML'),
        (voc_object('catt', (1, 1, 2, 2)), r"object 0 is of class 'catt', .*did you mean 'cat'\?"),
        ('<object></object>', "object 0 is of class ''"),
        (voc_object('cat', (1, 1, 2, 'x')), r"the bndbox of object 0 \(cat\) is \['1', '1', '2', 'x'\]"),
        ('<object><name>cat</name></object>', r'expected xmin, ymin, xmax, ymax'),
        (voc_object('cat', (1, 1, 2, 2)) + voc_object('cat', (5, 1, 2, 2)), r'object 1 \(cat\) .* xmin <= xmax'),
        (voc_object('cat', ('nan', 1, 2, 2)), 'xmin <= xmax'),
    ],
)
def test_a_wrong_annotation_names_file_and_object(tmp_path, text, message):
    path = tmp_path / 'a.xml'
    path.write_text(text if text.startswith('<annotation>') else f'<annotation>{text}</annotation>')
    with pytest.raises(AnnotationError, match=message) as caught:
        read_voc_xml(str(path), {'cat': 0})
    assert caught.value.file == str(path)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'list of images .*ImageSets/Main/train\.txt'):
        VOCCounts(data_root=tmp_path)
    write_list(tmp_path, 'Main/train.txt', 'a')
    with pytest.raises(FileNotFoundError, match=r'annotation file .*Annotations/a\.xml'):
        VOCCounts(data_root=tmp_path)
