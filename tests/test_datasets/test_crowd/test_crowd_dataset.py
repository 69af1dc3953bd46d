"""What all crowd data sets do alike: splits, flaws of the annotation, what is missing, extreme images."""

import pickle

import numpy as np
import pytest

from mmcount.datasets import (
    FDST,
    UCFQNRF,
    AnnotationError,
    JHUCrowd,
    LowerCounts,
    NWPUCrowd,
    ShanghaiTechA,
    ShanghaiTechB,
)
from mmcount.datasets.crowd.checks import DUPLICATES, EMPTY_BOXES, OUTSIDE, REVERSED, STATED, TURNED
from mmcount.datasets.crowd.file_names import natural_key

KINDS = {
    'nwpu': NWPUCrowd,
    'shanghaitech_a': ShanghaiTechA,
    'shanghaitech_b': ShanghaiTechB,
    'qnrf': UCFQNRF,
    'jhu': JHUCrowd,
    'fdst': FDST,
}


def points_of(dataset, index=0):
    return dataset.get_data_info(index)['points'].tolist()


def names(dataset):
    return [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]


# Splits ---------------------------------------------------------------------------------------------------------------


def test_one_seed_is_one_split_and_excluded_images_do_not_change_it(trees):
    for index in range(1, 21):
        trees.shanghaitech(f'IMG_{index}', [(1, 1)] * index)
    val = names(ShanghaiTechA(data_root=trees.root, subset='val', num_val=5, seed=3))
    assert len(val) == 5
    assert names(ShanghaiTechA(data_root=trees.root, subset='val', num_val=5, seed=3)) == val
    assert names(ShanghaiTechA(data_root=trees.root, subset='val', num_val=5, seed=4)) != val
    left_out = val[0].rsplit('/')[-1].removesuffix('.jpg')
    fewer = ShanghaiTechA(data_root=trees.root, subset='val', num_val=5, seed=3, exclude=(left_out,))
    assert names(fewer) == val[1:]
    train = names(ShanghaiTechA(data_root=trees.root, subset='train', num_val=5, seed=3))
    assert len(train) == 15
    assert not set(train) & set(val)


@pytest.mark.parametrize('total', [2, 5, 15, 25])
def test_a_share_loses_no_image(trees, total):
    for index in range(total):
        trees.shanghaitech(f'IMG_{index}', [(1, 1)])
    sizes = [len(ShanghaiTechA(data_root=trees.root, subset=part, num_val=0.1)) for part in ('train', 'val')]
    assert sum(sizes) == total
    assert min(sizes) >= 1


def test_a_list_names_the_validation_images(trees):
    for index in range(1, 5):
        trees.shanghaitech(f'IMG_{index}', [(1, 1)])
    (trees.root / 'val.txt').write_text('IMG_4\nIMG_2\n')
    assert len(ShanghaiTechA(data_root=trees.root, subset='train', val_list='val.txt')) == 2
    val = ShanghaiTechA(data_root=trees.root, subset='val', val_list='val.txt')
    assert names(val) == ['train_data/images/IMG_2.jpg', 'train_data/images/IMG_4.jpg']
    (trees.root / 'val.txt').write_text('IMG_4\nIMG_5\n')
    with pytest.raises(AnnotationError, match=r"val\.txt, line 2: 'IMG_5' is none of the 4 names"):
        ShanghaiTechA(data_root=trees.root, subset='val', val_list='val.txt')
    with pytest.raises(FileNotFoundError, match=r'list of validation images .*no\.txt'):
        ShanghaiTechA(data_root=trees.root, subset='val', val_list='no.txt')
    with pytest.raises(ValueError, match='num_val=4 leaves no image to train on'):
        ShanghaiTechA(data_root=trees.root, subset='train', num_val=4)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(subset='dev'), "subset must be one of .* got 'dev'"),
        (dict(outside='wrap'), "outside must be one of .* got 'wrap'"),
        (dict(duplicates='snap'), 'duplicates must be one of'),
        (dict(origin=1), 'origin must be one of'),
        (dict(on_missing='ignore'), 'on_missing must be one of'),
        (dict(exclude='IMG_1'), r"exclude=\('IMG_1',\)"),
        (dict(split=dict(num_train=1)), 'has its own parts'),
        (dict(num_val=-1), 'num_val of a split must not be negative'),
        (dict(seed=-1), 'seed of a split must not be negative'),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ShanghaiTechA(**arguments)


def test_names_are_in_natural_order():
    names = ['IMG_10', 'IMG_9', 'IMG_1', '2', '10', '02', 'a']
    assert sorted(names, key=natural_key) == ['02', '2', '10', 'IMG_1', 'IMG_9', 'IMG_10', 'a']


# Flaws ----------------------------------------------------------------------------------------------------------------

# the image is 32 x 24 px, so its area is -0.5 .. 31.5 by -0.5 .. 23.5
OUTSIDE_HEADS = [(-0.5, 0), (31.5, 5), (32.4, 5), (40, -9), (3, 4)]


@pytest.mark.parametrize(
    ('rule', 'expected'),
    [
        ('keep', OUTSIDE_HEADS),
        ('snap', [(-0.5, 0), (31.5, 5), (31.5, 5), (40, -9), (3, 4)]),
        ('clip', [(-0.5, 0), (31.5, 5), (31.5, 5), (31.5, -0.5), (3, 4)]),
        ('drop', [(-0.5, 0), (3, 4)]),
    ],
)
def test_heads_outside_of_the_image(trees, rule, expected):
    trees.nwpu('0001', OUTSIDE_HEADS, 'train')
    pipeline = [
        dict(type='mmcount.LoadImage'),
        dict(type='mmcount.LoadCountAnnotations'),
        dict(type='mmcount.PackCountInputs'),
    ]
    dataset = NWPUCrowd(data_root=trees.root, outside=rule, pipeline=pipeline)
    info = dataset.get_data_info(0)
    assert info['points'] == pytest.approx(np.array(expected), abs=1e-5)
    assert len(info['bboxes']) == len(expected)
    assert info['bboxes'][-1].tolist() == [1, 1, 5, 7]
    assert dataset.findings[OUTSIDE].number == 3
    assert dataset.class_counts().tolist() == [[len(expected)]]
    # what training sees: nothing that was moved is lost
    inside = {'keep': 2, 'snap': 4, 'clip': 5, 'drop': 2}[rule]
    assert dataset[0]['data_samples'].gt_counts.tolist() == [inside]
    assert dataset[0]['data_samples'].gt_instances.points.shape == (inside, 2)


def test_heads_outside_can_be_an_error(trees):
    trees.jhu('0001', OUTSIDE_HEADS)
    with pytest.raises(AnnotationError, match=r'0001\.txt: head 1 is at \[31\.5, 5\.0\], outside .* of 32x24'):
        JHUCrowd(data_root=trees.root, outside='error')


def test_attributes_stay_with_their_heads(trees):
    trees.jhu('0001', [(50, 50), (3, 4), (3, 4), (5, 6)])
    info = JHUCrowd(data_root=trees.root, outside='drop', duplicates='drop').get_data_info(0)
    assert info['points'].tolist() == [[3, 4], [5, 6]]
    assert info['occlusions'].tolist() == [2, 1]
    assert info['blurs'].tolist() == [1, 1]
    assert info['bboxes'].tolist() == [[1, 1, 5, 7], [3, 3, 7, 9]]


@pytest.mark.parametrize(('rule', 'number'), [('keep', 5), ('drop', 3)])
def test_duplicate_heads(trees, rule, number):
    trees.qnrf('img_0001', [(3, 4), (5, 6), (3, 4), (3, 4.5), (3, 4)], 'Test')
    dataset = UCFQNRF(data_root=trees.root, subset='test', duplicates=rule)
    assert dataset.findings[DUPLICATES].number == 2
    assert dataset.class_counts().tolist() == [[number]]
    assert points_of(dataset)[:2] == [[3, 4], [5, 6]]
    with pytest.raises(AnnotationError, match=r'img_0001_ann\.mat: head 2 is at \[3\.0, 4\.0\]'):
        UCFQNRF(data_root=trees.root, subset='test', duplicates='error')


def test_flaws_of_boxes_and_numbers_are_told(trees, warnings_of):
    trees.jhu('0001', [(3, 4)])
    (trees.root / 'train' / 'gt' / '0001.txt').write_text('3 4 0 6 1 0\n')
    dataset = JHUCrowd(data_root=trees.root)
    assert dataset.findings[EMPTY_BOXES].number == 1
    assert dataset.get_data_info(0)['bboxes'].tolist() == [[3, 1, 3, 7]]
    trees.nwpu('0001', [(3, 4)], 'train')
    (trees.root / 'jsons' / '0001.json').write_text('{"human_num": 2, "points": [[3, 4]], "boxes": [[5, 7, 1, 1]]}')
    dataset = NWPUCrowd(data_root=trees.root)
    assert dataset.findings[REVERSED].number == dataset.findings[STATED].number == 1
    assert dataset.get_data_info(0)['bboxes'].tolist() == [[1, 1, 5, 7]]
    assert any('(2 stated, 1 listed)' in message for message in warnings_of)


def test_coordinates_that_begin_at_one_are_told_and_corrected(trees, warnings_of):
    trees.shanghaitech('IMG_1', [(1, 1), (32, 24)], 'test')
    ShanghaiTechA(data_root=trees.root, subset='test')
    assert any("coordinates may begin at 1, which origin='one' corrects" in message for message in warnings_of)
    warnings_of.clear()
    dataset = ShanghaiTechA(data_root=trees.root, subset='test', origin='one', outside='error')
    assert points_of(dataset) == [[0, 0], [31, 23]]
    assert not any('begin at 1' in message for message in warnings_of)
    trees.shanghaitech('IMG_1', [(0, 1), (32, 24)], 'test')
    ShanghaiTechA(data_root=trees.root, subset='test')
    assert not any('begin at 1' in message for message in warnings_of)
    assert points_of(ShanghaiTechA(data_root=trees.root, subset='test', origin='corner')) == [[-0.5, 0.5], [31.5, 23.5]]


def test_origin_moves_boxes_only_where_pixels_are_counted_from_one(trees):
    trees.fdst('1', '001', [(3, 4)], 'test')
    boxes = {
        origin: FDST(data_root=trees.root, subset='test', origin=origin).get_data_info(0)['bboxes'].tolist()
        for origin in ('center', 'corner', 'one')
    }
    assert boxes == dict(center=[[1, 1, 5, 7]], corner=[[1, 1, 5, 7]], one=[[0, 0, 4, 6]])


def test_exchanged_coordinates_are_told(trees):
    trees.qnrf('img_0001', [(5, 30), (6, 20)], 'Test')
    assert UCFQNRF(data_root=trees.root, subset='test').findings[TURNED].number == 1


# What is missing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', KINDS)
def test_a_data_set_that_is_not_there_says_what_to_download(tmp_path, name):
    kind = KINDS[name]
    with pytest.raises(FileNotFoundError) as caught:
        kind(data_root=tmp_path / 'nowhere')
    text = str(caught.value)
    assert kind.HOMEPAGE in text
    assert kind.LAYOUT in text
    assert 'nowhere' in text
    assert 'no such folder' in text
    (tmp_path / 'other').mkdir()
    with pytest.raises(FileNotFoundError, match=r"there is: \['other'\]"):
        kind(data_root=tmp_path)


@pytest.mark.parametrize('name', KINDS)
def test_missing_annotation_files_are_counted_and_named(trees, name, warnings_of):
    trees.whole(name, [(3, 4)])
    subset = 'trainval'
    complete = len(KINDS[name](data_root=trees.root, subset=subset))
    suffixes = dict(nwpu='jsons/0001.json', qnrf='Train/img_0001_ann.mat', jhu='train/gt/0001.txt')
    suffixes.update(fdst='train_data/1/001.json')
    lost = trees.root / suffixes.get(name, 'train_data/ground-truth/GT_IMG_1.mat')
    lost.unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 files of 1 of the {complete} images .*{lost.name}.*'skip'"):
        KINDS[name](data_root=trees.root, subset=subset)
    fewer = KINDS[name](data_root=trees.root, subset=subset, on_missing='skip')
    assert len(fewer) == complete - 1
    assert any('are left out' in message for message in warnings_of)


def test_images_that_a_list_names_and_nobody_has(trees):
    trees.nwpu('0001', [(3, 4)], 'train')
    (trees.root / 'images' / '0001.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'0001\.jpg'):
        NWPUCrowd(data_root=trees.root, on_missing='skip')


@pytest.mark.parametrize('name', KINDS)
def test_annotation_without_an_image_is_told(trees, name):
    trees.whole(name, [(3, 4)])
    files = dict(nwpu='jsons/0009.json', qnrf='Train/img_0009_ann.mat', jhu='train/gt/0009.txt')
    files.update(fdst='train_data/1/009.json')
    (trees.root / files.get(name, 'train_data/ground-truth/GT_IMG_9.mat')).write_text('')
    dataset = KINDS[name](data_root=trees.root, subset='trainval')
    finding = dataset.findings['annotation files without an image']
    assert finding.number == 1
    assert '9' in finding.example


@pytest.mark.parametrize('name', KINDS)
def test_a_malformed_annotation_is_named(trees, name):
    trees.whole(name, [(3, 4)])
    files = dict(nwpu='jsons/0002.json', qnrf='Train/img_0002_ann.mat', jhu='train/gt/0002.txt')
    files.update(fdst='train_data/2/001.json')
    broken = trees.root / files.get(name, 'train_data/ground-truth/GT_IMG_2.mat')
    broken.write_bytes(b'1 2 3\n\xff')
    with pytest.raises(AnnotationError, match=broken.name):
        KINDS[name](data_root=trees.root, subset='trainval')


# Extreme images -------------------------------------------------------------------------------------------------------


CASES = [(name, number) for name in KINDS for number in (0, 1)]
CASES += [(name, 13_000) for name in KINDS if name != 'shanghaitech_b']  # as part A


@pytest.mark.parametrize(('name', 'number'), CASES)
def test_any_number_of_heads_is_read_trained_on_and_evaluated(trees, name, number):
    rng = np.random.default_rng(0)
    heads = [(round(x, 3), round(y, 3)) for x, y in (rng.random((number, 2)) * (31, 23)).tolist()]
    trees.whole(name, heads, [(1, 1)])
    load = [dict(type='mmcount.LoadImage'), dict(type='mmcount.LoadCountAnnotations')]
    for counts in ('recompute', 'annotations'):  # as in training, as in evaluation
        pipeline = [*load, dict(type='mmcount.PackCountInputs', image_counts=counts)]
        dataset = KINDS[name](data_root=trees.root, subset='test', pipeline=pipeline)
        assert dataset.class_counts().tolist() == [[number]]
        sample = dataset[0]['data_samples']
        assert sample.gt_counts.tolist() == [number]
        assert sample.gt_instances.points.shape == (number, 2)
        assert sample.gt_instances.points.numpy() == pytest.approx(np.reshape(heads, (-1, 2)), abs=1e-4)


def test_a_data_set_travels_to_workers(trees):
    trees.whole('nwpu', [(3, 4)])
    dataset = pickle.loads(pickle.dumps(NWPUCrowd(data_root=trees.root)))
    assert points_of(dataset) == [[3, 4]]


def test_limited_counts_tell_nothing_else(trees):
    trees.jhu('0001', [(3, 4)] * 9)
    info = LowerCounts(JHUCrowd(data_root=trees.root), limit=4)[0]
    assert info['image_counts'].tolist() == [5]
    assert not {'points', 'bboxes', 'occlusions', 'blurs', 'scene'} & set(info)
