"""Each data set reads its original files."""

import json

import numpy as np
import pytest

from benchmarks.real_data import data_root
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

HEADS = [(3, 5), (10.5, 7.25), (20, 12)]
BOXES = [[x - 2, y - 3, x + 2, y + 3] for x, y in HEADS]


def ids(dataset):
    return [dataset.get_data_info(index)['img_id'] for index in range(len(dataset))]


def check(info, boxes=True):
    assert info['points'].tolist() == [list(head) for head in HEADS]
    assert info['points'].dtype == np.float32
    assert info['labels'].tolist() == [0] * 3
    assert (info['height'], info['width']) == (24, 32)
    assert ('bboxes' in info) == boxes
    if boxes:
        assert info['bboxes'].tolist() == BOXES


# NWPU-Crowd -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('as_mat', [False, True])
def test_nwpu_lists_decide_the_parts(trees, as_mat):
    trees.nwpu('3169', HEADS, 'train', as_mat=as_mat, extra='0 3')
    trees.nwpu('3098', [], 'val', as_mat=as_mat)
    dataset = NWPUCrowd(data_root=trees.root, subset='train')
    assert ids(dataset) == ['3169']
    info = dataset.get_data_info(0)
    check(info)
    assert (info['luminance'], info['scene_level']) == (0, 3)
    assert ids(NWPUCrowd(data_root=trees.root, subset='val')) == ['3098']
    both = NWPUCrowd(data_root=trees.root, subset='trainval', exclude=('3098',))
    assert ids(both) == ['3169']
    check(NWPUCrowd(data_root=trees.root, with_boxes=False).get_data_info(0), boxes=False)


def test_nwpu_images_are_found_in_unpacked_parts(trees):
    trees.nwpu('0001', HEADS, 'train', folder='images_part1')
    trees.nwpu('0002', [], 'train', folder='images_part2')
    dataset = NWPUCrowd(data_root=trees.root)
    assert ids(dataset) == ['0001', '0002']
    assert dataset.class_counts().tolist() == [[3], [0]]


def test_nwpu_test_images_have_no_counts_rather_than_zero(trees):
    trees.nwpu('0001', HEADS, 'train')
    trees.nwpu('3610', [], 'test', extra='')
    (trees.root / 'jsons' / '3610.json').unlink()
    pipeline = [dict(type='mmcount.LoadImage'), dict(type='mmcount.PackCountInputs')]
    dataset = NWPUCrowd(data_root=trees.root, subset='test', pipeline=pipeline, test_mode=True)
    assert 'points' not in dataset.get_data_info(0)
    sample = dataset[0]['data_samples']
    assert sample.img_id == '3610'
    assert 'gt_counts' not in sample
    assert 'gt_instances' not in sample
    with pytest.raises(ValueError, match=r'3610\.jpg: has no annotation to count'):
        dataset.class_counts()
    pipeline.insert(1, dict(type='mmcount.LoadCountAnnotations'))
    with pytest.raises(ValueError, match=r"3610\.jpg: has no 'labels' of objects to count"):
        NWPUCrowd(data_root=trees.root, subset='test', pipeline=pipeline, test_mode=True)[0]
    with pytest.raises(ValueError, match=r'3610\.jpg: has no annotation to count'):
        LowerCounts(NWPUCrowd(data_root=trees.root, subset='test'), limit=4)


def test_nwpu_repeated_lines_are_one_image_and_images_of_two_lists_are_told(trees, warnings_of):
    trees.nwpu('0001', HEADS, 'train')
    trees.nwpu('0001', HEADS, 'train')
    trees.nwpu('0001', HEADS, 'val')
    dataset = NWPUCrowd(data_root=trees.root)
    assert len(dataset) == 1
    assert dataset.findings['lines of train.txt that repeat an earlier one'].number == 1
    assert dataset.findings['images of train.txt that are in val.txt too'].example == '0001'
    assert any('1 images in train, the published set has 3109' in message for message in warnings_of)
    (trees.root / 'train.txt').write_text('0001 1 2\n0001 1 3\n')
    with pytest.raises(AnnotationError, match=r"train\.txt, line 2: image '0001' is in the list twice"):
        NWPUCrowd(data_root=trees.root)
    (trees.root / 'train.txt').write_text('0001 dark 3\n')
    with pytest.raises(AnnotationError, match=r"train\.txt, line 1: '0001 dark 3', expected an id"):
        NWPUCrowd(data_root=trees.root)


def test_nwpu_true_locations_bring_sigmas_and_levels(trees):
    trees.nwpu('3110', HEADS, 'val')
    row = '3110 3 3 5 2 4 1 10 7 2 3 1 20 12 5 7 2'
    (trees.root / 'val_gt_loc.txt').write_text(row + '\n')
    info = NWPUCrowd(data_root=trees.root, subset='val', locations='val_gt_loc.txt').get_data_info(0)
    assert info['sigmas'].tolist() == [[2, 4], [2, 3], [5, 7]]
    assert info['levels'].tolist() == [1, 1, 2]
    assert info['points'].tolist() == [[3, 5], [10, 7], [20, 12]]
    for text, message in (
        ('3111 0', "does not name image '3110'"),
        ('3110 1 3 5 2 4 1', "lists 1 heads of image '3110', but .*has 3"),
        ('3110 3 3 5 2 4 1 20 12 5 7 2 10 7 2 3 1', 'not in the same order'),
    ):
        (trees.root / 'val_gt_loc.txt').write_text(text)
        with pytest.raises(AnnotationError, match=message):
            NWPUCrowd(data_root=trees.root, subset='val', locations='val_gt_loc.txt')


def test_nwpu_boxes_that_are_not_those_of_the_points(trees):
    trees.nwpu('0001', HEADS, 'train')
    content = dict(human_num=3, points=HEADS, boxes=BOXES[:2])
    (trees.root / 'jsons' / '0001.json').write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=r'0001\.json: 3 points but 2 boxes.*with_boxes=False'):
        NWPUCrowd(data_root=trees.root)
    check(NWPUCrowd(data_root=trees.root, with_boxes=False).get_data_info(0), boxes=False)


# ShanghaiTech ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('folder', ['ground-truth', 'ground_truth'])
@pytest.mark.parametrize('kind', [ShanghaiTechA, ShanghaiTechB])
def test_shanghaitech(trees, kind, folder):
    trees.shanghaitech('IMG_10', [], folder=folder)
    trees.shanghaitech('IMG_2', HEADS, folder=folder)
    trees.shanghaitech('IMG_2', HEADS[:1], 'test', folder=folder)
    dataset = kind(data_root=trees.root, subset='trainval')
    assert ids(dataset) == ['train_data/images/IMG_2.jpg', 'train_data/images/IMG_10.jpg']
    check(dataset.get_data_info(0), boxes=False)
    assert dataset.class_counts().tolist() == [[3], [0]]
    test = kind(data_root=trees.root, subset='test')
    assert ids(test) == ['test_data/images/IMG_2.jpg']
    assert test.class_counts().tolist() == [[1]]


def test_shanghaitech_b_says_which_image_is_wrong(trees, warnings_of):
    trees.shanghaitech('IMG_108', HEADS)
    trees.shanghaitech('IMG_109', HEADS)
    ShanghaiTechB(data_root=trees.root, subset='trainval')
    assert any("exclude=('IMG_108',)" in message for message in warnings_of)
    warnings_of.clear()
    kept = ShanghaiTechB(data_root=trees.root, subset='trainval', exclude=('IMG_108',))
    assert ids(kept) == ['train_data/images/IMG_109.jpg']
    assert not any('IMG_108' in message for message in warnings_of)
    ShanghaiTechB(data_root=trees.root, subset='trainval', exclude=('IMG_18',))
    assert any("exclude names 'IMG_18', which does not exist; did you mean 'IMG_108'?" in m for m in warnings_of)


def test_shanghaitech_b_sample():
    root = data_root('shanghaitech_b_sample')
    if root is None:
        pytest.skip('the ShanghaiTech B sample is not on this machine; set MMCOUNT_DATA_ROOT')
    datasets = {part: ShanghaiTechB(data_root=root, subset=part) for part in ('train', 'val', 'trainval', 'test')}
    assert {part: len(one) for part, one in datasets.items()} == dict(train=27, val=3, trainval=30, test=8)
    totals = {part: int(one.class_counts().sum()) for part, one in datasets.items()}
    assert totals['trainval'] == totals['train'] + totals['val'] == 487
    assert datasets['test'].class_counts().ravel().tolist() == [16, 11, 3, 35, 12, 36, 5, 18]
    assert not set(ids(datasets['train'])) & set(ids(datasets['val']))
    info = datasets['test'].get_data_info(0)
    assert info['img_id'] == 'test_data/images/IMG_1.jpg'
    assert (info['height'], info['width']) == (768, 1024)
    assert info['points'][0].tolist() == [260, 313]
    first = datasets['trainval'].get_data_info(0)['points'][0]
    assert first.tolist() == pytest.approx([162.85294118, 145.91176471], rel=1e-7)
    assert all(not one.findings for one in datasets.values())


# UCF-QNRF -------------------------------------------------------------------------------------------------------------


def test_qnrf(trees):
    for index in range(10):
        trees.qnrf(f'img_{index + 1:04d}', HEADS[: index % 4])
    trees.qnrf('img_0001', HEADS, 'Test')
    test = UCFQNRF(data_root=trees.root, subset='test')
    check(test.get_data_info(0), boxes=False)
    assert ids(test) == ['Test/img_0001.jpg']
    train, val = (UCFQNRF(data_root=trees.root, subset=part) for part in ('train', 'val'))
    assert (len(train), len(val)) == (8, 2)
    assert sorted(ids(train) + ids(val)) == [f'Train/img_{index + 1:04d}.jpg' for index in range(10)]


# JHU-Crowd++ ----------------------------------------------------------------------------------------------------------


def test_jhu(trees, warnings_of):
    trees.jhu('0003', HEADS, label='street, old,2,1', stated=5)
    trees.jhu('0001', [], label='forest,0,0')
    trees.jhu('0002', HEADS, 'val')
    dataset = JHUCrowd(data_root=trees.root)
    assert ids(dataset) == ['train/images/0001.jpg', 'train/images/0003.jpg']
    assert dataset.class_counts().tolist() == [[0], [3]]
    nobody, info = (dataset.get_data_info(index) for index in range(2))
    assert nobody['bboxes'].shape == (0, 4)
    check(info)
    assert info['occlusions'].tolist() == [1, 2, 3]
    assert info['blurs'].tolist() == [0, 1, 0]
    assert (info['scene'], info['weather'], info['distractor']) == ('street, old', 'rain', True)
    assert any('0003 (5 stated, 3 listed)' in message for message in warnings_of)
    assert any('1 images without heads, e.g. 0001' in message for message in warnings_of)
    assert ids(JHUCrowd(data_root=trees.root, subset='trainval'))[-1] == 'val/images/0002.jpg'
    square = JHUCrowd(data_root=trees.root, square_boxes=True).get_data_info(1)
    assert square['bboxes'][0].tolist() == [1, 2, 7, 8]
    assert square['points'][0].tolist() == [3, 5]


def test_jhu_without_labels_of_the_images(trees, warnings_of):
    trees.jhu('0001', HEADS)
    trees.jhu('0002', HEADS)
    file = trees.root / 'train' / 'image_labels.txt'
    file.write_text('0001,3,street,9,0\n')
    with pytest.raises(AnnotationError, match=r'image_labels\.txt, line 1: .*weather \(0 to 3\)'):
        JHUCrowd(data_root=trees.root)
    file.write_text('0001,3,street,1,0\n')
    dataset = JHUCrowd(data_root=trees.root)
    assert 'scene' not in dataset.get_data_info(1)
    assert any('does not name, e.g. 0002' in message for message in warnings_of)
    file.unlink()
    check(JHUCrowd(data_root=trees.root).get_data_info(0))
    assert any('weather and distractor are not known' in message for message in warnings_of)


# FDST -----------------------------------------------------------------------------------------------------------------


def test_fdst_divides_whole_videos(trees):
    for video in ('1', '2', '10', '11'):
        for frame in ('001', '002', '003'):
            trees.fdst(video, frame, HEADS)
    trees.fdst('3', '001', [], 'test')
    train, val = (FDST(data_root=trees.root, subset=part, num_val=0.25) for part in ('train', 'val'))
    assert (len(train), len(val)) == (9, 3)
    videos = [{one.get_data_info(index)['video'] for index in range(len(one))} for one in (train, val)]
    assert not videos[0] & videos[1]
    check(train.get_data_info(0))
    whole = FDST(data_root=trees.root, subset='trainval', exclude=('1/002',))
    assert len(whole) == 11
    assert ids(whole)[0] == 'train_data/1/001.jpg'
    assert ids(whole)[2] == 'train_data/2/001.jpg'
    assert whole.get_data_info(1)['frame'] == '003'
    assert FDST(data_root=trees.root, subset='test').class_counts().tolist() == [[0]]
