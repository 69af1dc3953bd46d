"""Objects out of the instances of a sample: boxes, points, images without any."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmcount.structures import Objects


def test_boxes_of_instances_are_scaled_with_their_centres():
    boxes = torch.tensor([[2.0, 4.0, 6.0, 8.0, 3.0]])  # five columns: the last is a count
    objects = Objects.from_instances(InstanceData(bboxes=boxes, labels=torch.tensor([1])), scale=(2.0, 0.5))
    np.testing.assert_allclose(objects.bboxes, [[4, 2, 12, 4]])
    np.testing.assert_allclose(objects.points, [[7.5, 2.5]])
    assert objects.labels.tolist() == [1]


@pytest.mark.parametrize('shape', [(0, 4), (0, 5)])
def test_an_image_whose_boxes_are_none_has_no_objects(shape):
    instances = InstanceData(bboxes=torch.zeros(shape), labels=torch.zeros(0, dtype=torch.int64))
    objects = Objects.from_instances(instances)
    assert objects.points.shape == (0, 2)
    assert objects.boxes().shape == (0, 4)
    assert len(objects.inside((8, 8)).points) == 0


def test_points_alone_have_no_boxes_to_paint():
    objects = Objects.from_instances(InstanceData(points=torch.zeros(0, 2), labels=torch.zeros(0)))
    assert objects.bboxes is None
    with pytest.raises(ValueError, match='the objects are points: load them with LoadCountAnnotations'):
        objects.boxes()
