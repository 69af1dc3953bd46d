import copy
import pickle

import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from mmcount.structures import CountDataSample

FIELDS = {
    'gt_counts': torch.tensor([3.0]),
    'gt_map': PixelData(data=torch.ones(1, 4, 5)),
    'pred_counts': torch.tensor([2.5]),
    'pred_density': PixelData(data=torch.ones(1, 4, 5)),
    'pred_interval': torch.tensor([[2.0, 3.0]]),
    'saturated': True,
}


@pytest.mark.parametrize('name', FIELDS)
def test_a_field_can_be_set_read_and_deleted(name):
    sample = CountDataSample()
    assert name not in sample
    setattr(sample, name, FIELDS[name])
    assert getattr(sample, name) is FIELDS[name]
    assert name in sample
    delattr(sample, name)
    assert name not in sample


@pytest.mark.parametrize('name', FIELDS)
def test_a_field_of_another_type_is_refused(name):
    with pytest.raises(AssertionError, match='should be a'):
        setattr(CountDataSample(), name, 'three')


def test_a_sample_survives_to_dict_copy_and_pickle():
    sample = CountDataSample(metainfo={'img_id': 'a'})
    for name, value in FIELDS.items():
        setattr(sample, name, value)
    sample.gt_instances = InstanceData(points=torch.zeros(3, 2), labels=torch.zeros(3, dtype=torch.int64))
    as_dict = sample.to_dict()
    assert as_dict['pred_counts'].tolist() == [2.5]
    assert as_dict['gt_instances']['points'].shape == (3, 2)
    assert as_dict['img_id'] == 'a'
    for other in (copy.deepcopy(sample), pickle.loads(pickle.dumps(sample)), sample.cpu()):
        assert torch.equal(other.gt_map.data, sample.gt_map.data)
        assert other.saturated is True
        assert other.img_id == 'a'


def test_predicted_counts_cannot_vanish():
    sample = CountDataSample(metainfo=dict(img_id='one'))
    counted = InstanceData(bboxes=torch.zeros(2, 4), counts=torch.tensor([3, 1]))
    plain = InstanceData(bboxes=torch.zeros(2, 4))
    sample.pred_instances = plain
    sample.pred_instances = counted
    sample.pred_instances = counted[:1]
    with pytest.raises(ValueError, match="image one: predicted boxes with 'counts' are replaced by boxes without"):
        sample.pred_instances = plain
    del sample.pred_instances
    sample.pred_instances = plain
