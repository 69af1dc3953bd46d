"""Boxes from a table, for data sets of points."""

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from mmcount.datasets import UCFQNRF, AnnotationError, NWPUCrowd, PointsCSVDataset, ShanghaiTechA
from mmcount.evaluation.metrics import LocalizationMetric

HEADS = [(4.5, 6.0), (20.0, 10.25)]
NAME = 'train_data/images/IMG_1.jpg'


def write_table(root, rows, name='boxes.csv', header='image,x,y,class,x1,y1,x2,y2'):
    (root / name).write_text('\n'.join([header, *(','.join(map(str, row)) for row in rows)]) + '\n')
    return name


def rows_of(name, heads, half=3):
    return [(name, x, y, 'head', x + 0.5 - half, y + 0.5 - half, x + 0.5 + half, y + 0.5 + half) for x, y in heads]


def test_points_get_the_boxes_of_the_table(trees, warnings_of):
    trees.shanghaitech('IMG_1', HEADS)
    trees.shanghaitech('IMG_2', [])
    table = write_table(trees.root, rows_of(NAME, HEADS) + rows_of('test_data/images/IMG_1.jpg', [(1, 1)]))
    dataset = ShanghaiTechA(data_root=trees.root, subset='trainval', boxes_file=table)
    one, none = (dataset.get_data_info(index) for index in range(2))
    np.testing.assert_allclose(one['points'], HEADS)
    np.testing.assert_allclose(one['bboxes'], [[2, 3.5, 8, 9.5], [17.5, 7.75, 23.5, 13.75]])
    assert none['bboxes'].shape == (0, 4)
    assert dataset._boxes is None


def test_the_boxes_reach_training_and_the_radii_of_evaluation(trees, warnings_of):
    trees.qnrf('img_0001', HEADS)
    table = write_table(trees.root, rows_of('Train/img_0001.jpg', HEADS))
    codec = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', rule='original')
    steps = [dict(type='mmcount.LoadImage'), dict(type='mmcount.LoadCountAnnotations', geometry='bboxes')]
    steps.append(dict(type='mmcount.GenerateTarget', codec=codec))
    steps.append(dict(type='mmcount.PackCountInputs', image_counts='annotations'))
    dataset = UCFQNRF(data_root=trees.root, subset='trainval', boxes_file=table, pipeline=steps)
    sample = dataset[0]['data_samples']
    assert float(sample.gt_map.data.sum()) == 72  # two squares of 6 px
    sample.pred_instances = sample.gt_instances.clone()
    del sample.pred_instances.bboxes
    sample.pred_instances.points = torch.tensor(HEADS) + torch.tensor([[3.5, 0.0], [0.0, 0.0]])
    metric = LocalizationMetric()
    metric.process({}, [sample])
    found = metric.evaluate(1)
    assert found['loc/R_l'] == 1  # sqrt(72) / 2 = 4.2 px
    assert found['loc/R_s'] == 0.5  # 6 / 2 = 3 px


def test_rules_about_heads_apply_to_their_boxes(trees, warnings_of):
    heads = [(4.0, 6.0), (4.0, 6.0), (60.0, 6.0), (9.0, 9.0)]
    trees.shanghaitech('IMG_1', heads)
    table = write_table(trees.root, rows_of(NAME, heads))
    options = dict(data_root=trees.root, subset='trainval', boxes_file=table)
    info = ShanghaiTechA(**options, outside='drop', duplicates='drop').get_data_info(0)
    assert info['points'].tolist() == [[4, 6], [9, 9]]
    assert info['bboxes'].tolist() == [[1.5, 3.5, 7.5, 9.5], [6.5, 6.5, 12.5, 12.5]]


def test_other_origins(trees, warnings_of):
    trees.shanghaitech('IMG_1', [(5.0, 7.0)])
    table = write_table(trees.root, rows_of(NAME, [(4.0, 6.0)]))  # as a data set with this origin gives them
    info = ShanghaiTechA(data_root=trees.root, subset='trainval', boxes_file=table, origin='one').get_data_info(0)
    assert info['bboxes'].tolist() == [[1.5, 3.5, 7.5, 9.5]]


def test_boxes_of_the_data_set_are_replaced(trees, warnings_of):
    trees.nwpu('0001', HEADS, 'train')
    table = write_table(trees.root, rows_of('images/0001.jpg', HEADS, half=1))
    info = NWPUCrowd(data_root=trees.root, boxes_file=table).get_data_info(0)
    np.testing.assert_allclose(info['bboxes'][:, 2] - info['bboxes'][:, 0], [2, 2])


def test_what_does_not_fit_is_named(trees, warnings_of):
    trees.shanghaitech('IMG_1', HEADS)
    options = dict(data_root=trees.root, subset='trainval')
    for rows, message in (
        (rows_of('train_data/images/IMG_7.jpg', HEADS), 'has no boxes of image .*IMG_1.jpg'),
        (rows_of(NAME, HEADS[:1]), r'has 1 boxes of image .*, which has 2 heads'),
        (rows_of(NAME, HEADS[::-1]), r'box 0 of image .* belongs to the point \[20.0, 10.25\], but head 0'),
        ([(NAME, 1, 1, 'head', 5, 5, 4, 9)], r'boxes.csv, line 2.*ends before it begins'),
        ([(NAME, 1, 1, 'head', 5, 5, 'nan', 9)], r"x2 is 'nan'"),
    ):
        table = write_table(trees.root, rows)
        with pytest.raises(AnnotationError, match=message):
            ShanghaiTechA(**options, boxes_file=table)
    points_only = write_table(trees.root, [(NAME, 1, 1)], header='image,x,y')
    with pytest.raises(AnnotationError, match='has no boxes: expected the columns'):
        ShanghaiTechA(**options, boxes_file=points_only)
    with pytest.raises(FileNotFoundError, match=r"boxes file .*absent\.csv' does not exist"):
        ShanghaiTechA(**options, boxes_file='absent.csv')
    with pytest.raises(ValueError, match='which with_boxes=False leaves out'):
        ShanghaiTechA(**options, boxes_file=points_only, with_boxes=False)


def test_the_table_is_a_data_set_of_its_own(trees):
    trees.shanghaitech('IMG_1', HEADS)
    trees.shanghaitech('IMG_2', [])
    table = write_table(trees.root, rows_of(NAME, HEADS))
    dataset = PointsCSVDataset(ann_file=table, data_root=str(trees.root))
    boxes = [dataset.get_data_info(index)['bboxes'] for index in range(2)]
    np.testing.assert_allclose(boxes[0], [[2, 3.5, 8, 9.5], [17.5, 7.75, 23.5, 13.75]])
    assert boxes[1].shape == (0, 4)
    pipeline = Compose([dict(type='mmcount.LoadCountAnnotations', geometry='bboxes')])
    assert len(pipeline(dataset.get_data_info(0))['gt_bboxes']) == 2
