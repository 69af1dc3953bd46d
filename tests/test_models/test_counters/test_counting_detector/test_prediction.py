"""What CountingDetector adds to the predictions of a detector."""

import numpy as np
import pytest
import torch
from mmdet.visualization import DetLocalVisualizer

from mmcount.visualization import CountVisualizer

SIDE = 64
CLASSES = 3


def test_boxes_are_those_of_the_plain_detector(build, plain, batch):
    detector, model = plain().eval(), build().eval()
    for expected, found in zip(detector.test_step(batch(scale=0.5)), model.test_step(batch(scale=0.5)), strict=True):
        for key in ('bboxes', 'scores', 'labels'):
            assert torch.equal(found.pred_instances[key], expected.pred_instances[key])
        assert len(found.pred_instances) == 8


def test_no_detections_count_nothing(build, batch, predicting):
    model = build().eval()
    predicting(model.detector, [])
    sample = model.test_step(batch())[0]
    assert sample.pred_instances.counts.shape == (0,)
    assert sample.pred_instances.counts.dtype == torch.int64
    assert sample.pred_instances.label_names == []
    assert sample.pred_counts.tolist() == [0.0] * CLASSES
    assert not sample.saturated


def test_boxes_that_are_no_boxes_are_counted_and_left_as_they_are(build, batch, predicting):
    inf, nan = float('inf'), float('nan')
    model = build().eval()
    predicting(model.detector, [[-inf, 0, inf, 10], [nan] * 4, [30, 30, 3, 3], [1e30, 5, 1e31, 6]])
    found = model.test_step(batch())[0].pred_instances
    assert bool((found.counts >= 1).all())
    assert bool(found.count_scores.isfinite().all())
    assert found.bboxes[0].tolist() == [-inf, 0.0, inf, 10.0]


def test_counts_are_read_in_pixels_of_the_input(build, batch, predicting):
    model = build().eval()
    pooled = []
    model.count_roi_extractor.register_forward_pre_hook(lambda _, args: pooled.append(args[1]))
    predicting(model.detector, [[10.0, 20.0, 90.0, 40.0]])
    model.test_step(batch((0,), scale=0.5))
    assert pooled[0].tolist() == [[0.0, 5.0, 10.0, 45.0, 20.0]]


def test_counts_of_the_image_are_sums_over_confident_boxes(build, batch, predicting):
    model = build(count_test_cfg=dict(score_thr=0.5), classes=('cup', 'bowl', 'fork')).eval()
    boxes = [[0.0, 0, 20, 20], [5, 5, 30, 30], [20, 20, 60, 60], [0, 30, 30, 60]]
    predicting(model.detector, boxes, scores=[0.9, 0.5, 0.49, 0.6], labels=[2, 0, 0, 2])
    model.count_head.decode = lambda outputs: (torch.tensor([3, 12, 7, 5]), torch.full((4,), 0.5))
    sample = model.test_step(batch((0,)))[0]
    assert sample.pred_counts.tolist() == [12.0, 0.0, 8.0]
    assert sample.pred_instances.label_names == ['fork x3', 'cup x12', 'cup x7', 'fork x5']
    assert not sample.saturated
    model.count_head.decode = lambda outputs: (torch.tensor([3, 20, 7, 5]), torch.full((4,), 0.5))
    assert model.test_step(batch((0,)))[0].saturated
    predicting(model.detector, [[0.0, 0, 20, 20]] * 8)
    model.count_head.decode = lambda outputs: (torch.ones(8, dtype=torch.int64), torch.ones(8))
    assert model.test_step(batch((0,)))[0].saturated


def test_labels_of_more_classes_than_are_counted_name_the_image(build, batch, predicting):
    model = build().eval()
    predicting(model.detector, [[0.0, 0, 20, 20]], labels=[CLASSES])
    with pytest.raises(ValueError, match=r'image image-0: labels must be in 0..2, got 3..3; num_classes of Counting'):
        model.test_step(batch((0,)))


def test_names_come_from_the_data_set_where_an_inferencer_knows_it(build, batch, predicting):
    model = build().eval()
    predicting(model.detector, [[0.0, 0, 20, 20]], labels=[1])
    model.count_head.decode = lambda outputs: (torch.tensor([4]), torch.ones(1))
    assert model.test_step(batch((0,)))[0].pred_instances.label_names == ['class 1 x4']
    model.dataset_meta = dict(classes=('cup', 'bowl'))
    assert model.test_step(batch((0,)))[0].pred_instances.label_names == ['bowl x4']


def test_visualizers_show_the_counts(build, batch, predicting):
    model = build(classes=('cup', 'bowl', 'fork')).eval()
    predicting(model.detector, [[20.0, 20, 60, 60]])
    pictures = {}
    for count in (4, 15):
        model.count_head.decode = lambda outputs, count=count: (torch.tensor([count]), torch.ones(1))
        sample = model.test_step(batch((0,)))[0]
        for kind in (DetLocalVisualizer, CountVisualizer):
            visualizer = kind(name=f'{kind.__name__}-{count}')
            visualizer.dataset_meta = dict(classes=('cup', 'bowl', 'fork'), palette=[(255, 0, 0)] * 3)
            visualizer.add_datasample('one', np.zeros((SIDE, SIDE, 3), np.uint8), sample, draw_gt=False)
            pictures[kind, count] = visualizer.get_image()
    for kind in (DetLocalVisualizer, CountVisualizer):
        one, two = pictures[kind, 4], pictures[kind, 15]
        assert one.shape != two.shape or bool((one != two).any())
