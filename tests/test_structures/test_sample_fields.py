import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData, PixelData

from mmcount.structures import CountDataSample, CountedBoxes, PointBoxes
from mmcount.structures.sample_fields import (
    count_instances,
    image_id,
    instance_points,
    instance_weights,
    predicted_counts,
    to_dict,
    true_counts,
)


def test_pred_counts_come_before_density_and_instances():
    sample = CountDataSample(metainfo={'img_id': 'a'})
    sample.pred_instances = InstanceData(labels=torch.zeros(3).long(), scores=torch.tensor([0.9, 0.8, 0.1]))
    assert predicted_counts(sample).tolist() == [2.0]
    sample.pred_density = PixelData(data=torch.full((1, 2, 2), 0.5))
    assert predicted_counts(sample).tolist() == [2.0]
    sample.pred_counts = torch.tensor([7.25])
    assert predicted_counts(sample).tolist() == [7.25]
    assert predicted_counts(sample.to_dict()).tolist() == [7.25]


def test_counts_of_instances_are_added_up_by_class():
    instances = InstanceData(labels=torch.tensor([1, 1, 0]), counts=torch.tensor([5, 2, 3]))
    assert count_instances(instances, 3).tolist() == [3.0, 7.0, 0.0]


def test_counted_boxes_weigh_what_they_count():
    instances = {'bboxes': CountedBoxes(torch.tensor([[0.0, 0, 4, 4, 6]])), 'labels': torch.tensor([0])}
    assert instance_weights(instances).tolist() == [6.0]
    assert instance_points(instances).tolist() == [[1.5, 1.5]]


def test_points_of_boxes_are_their_centres():
    boxes = torch.tensor([[2.0, 4.0, 3.0, 7.0]])
    for one in (boxes, HorizontalBoxes(boxes)):
        assert instance_points({'bboxes': one}).tolist() == [[2.0, 5.0]]
    assert instance_points({'bboxes': PointBoxes(torch.tensor([[2.0, 5.0]]))}).tolist() == [[2.0, 5.0]]


def test_no_instances_count_zero():
    empty = InstanceData(points=torch.zeros(0, 2), labels=torch.zeros(0).long(), scores=torch.zeros(0))
    assert count_instances(empty, 2).tolist() == [0.0, 0.0]
    assert instance_points(empty).shape == (0, 2)


def test_ground_truth_of_a_detection_sample_is_counted():
    sample = DetDataSample(metainfo={'img_id': 3})
    sample.gt_instances = InstanceData(bboxes=torch.zeros(2, 4), labels=torch.tensor([1, 1]))
    assert true_counts(sample, 3).tolist() == [0.0, 2.0, 0.0]
    assert image_id(sample) == '3'


def test_half_precision_and_gradients_are_read():
    counts = torch.tensor([2.5], dtype=torch.bfloat16, requires_grad=True)
    read = predicted_counts({'img_id': 'a', 'pred_counts': counts})
    assert read.dtype == np.float64
    assert read.tolist() == [2.5]


def test_errors_name_the_field():
    with pytest.raises(ValueError, match=r'pred_instances: labels must be in 0..0, got 0..2'):
        predicted_counts({'img_id': 'a', 'pred_instances': {'labels': [0, 2]}}, num_classes=1)
    with pytest.raises(ValueError, match="no 'img_id'"):
        image_id({})
    with pytest.raises(ValueError, match="neither 'points' nor 'bboxes'"):
        instance_points({'labels': [0]})
    with pytest.raises(TypeError, match='expected a data sample or its dict, got int'):
        to_dict(3)
