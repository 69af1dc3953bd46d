"""What PackCountInputs packs for mmdet's detectors, which is what mmdet's own PackDetInputs packs."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import init_default_scope

from mmcount.datasets.transforms import LoadCountAnnotations, PackCountInputs
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes
from mmcount.utils import register_all_modules

PROMPT = dict(text='cup. bowl', custom_entities=True, tokens_positive=[[[0, 3]], [[5, 9]]])


def results(**extra):
    boxes = torch.tensor([[1.0, 1, 5, 4, 7], [20, 20, 30, 30, 2]])
    return dict(
        img=np.zeros((8, 10, 3), np.uint8),
        img_id='one',
        num_classes=2,
        gt_bboxes=CountedBoxes(boxes),
        gt_bboxes_labels=np.array([1, 0]),
        **extra,
    )


def pack(data):
    return PackCountInputs()(data)['data_samples']


def pack_as_mmdet(data):
    keys = ('img_id', 'border', *PROMPT)
    register_all_modules()
    init_default_scope('mmcount')
    data['gt_bboxes'] = HorizontalBoxes(data['gt_bboxes'].tensor[:, :4])
    return TRANSFORMS.build(dict(type='mmdet.PackDetInputs', meta_keys=keys))(data)['data_samples']


def test_semantic_maps_are_packed_as_mmdet_packs_them():
    extra = dict(gt_seg_map=np.arange(80, dtype=np.uint8).reshape(8, 10)[:, ::-1], ignore_index=255)
    found, expected = (packs(results(**extra)).gt_sem_seg for packs in (pack, pack_as_mmdet))
    assert torch.equal(found.sem_seg, expected.sem_seg)
    assert found.sem_seg.shape == (1, 8, 10)
    assert found.ignore_index == expected.ignore_index == 255


def test_semantic_maps_are_loaded_by_mmdet_beside_our_annotations(tmp_path):
    register_all_modules()
    file = tmp_path / 'map.png'
    cv2.imwrite(str(file), np.full((8, 10), 3, np.uint8))
    load = TRANSFORMS.build(dict(type='mmdet.LoadAnnotations', with_bbox=False, with_label=False, with_seg=True))
    sample = pack(load(results(seg_map_path=str(file), reduce_zero_label=False)))
    assert sample.gt_sem_seg.sem_seg.unique().tolist() == [3]
    assert sample.gt_instances.counts.tolist() == [7]


def test_the_border_and_prompts_are_meta_information():
    extra = dict(border=np.array([1, 2, 3, 4]), **PROMPT)
    found, expected = (packs(results(**extra)).metainfo for packs in (pack, pack_as_mmdet))
    assert {key: found[key] for key in PROMPT} == {key: expected[key] for key in PROMPT} == PROMPT
    assert found['border'].tolist() == [1, 2, 3, 4]
    assert not set(pack(results()).metainfo) & {'border', 'text', 'tokens_positive'}


def test_box_proposals_are_packed_as_mmdet_packs_them():
    extra = dict(
        proposals=np.array([[0, 0, 4, 4], [1, 1, 3, 3]], np.float32), proposals_scores=np.array([0.5, 0.25], np.float32)
    )
    found, expected = (packs(results(**extra)).proposals for packs in (pack, pack_as_mmdet))
    assert torch.equal(found.bboxes, expected.bboxes)
    assert torch.equal(found.scores, expected.scores)
    boxes = results(**extra)
    boxes['proposals'] = HorizontalBoxes(boxes['proposals'])
    assert torch.equal(pack(boxes).proposals.bboxes, expected.bboxes)


@pytest.mark.parametrize('dtype', [np.uint16, np.int16, np.int32, np.float64, bool])
def test_pixels_whose_range_nobody_knows_are_refused(dtype):
    data = results()
    data['img'] = data['img'].astype(dtype)
    with pytest.raises(ValueError, match=f'image one has pixels of type {np.dtype(dtype)}, expected uint8'):
        pack(data)


def test_an_image_of_an_inferencer_passes_through_the_loading_of_annotations():
    data = dict(img=np.zeros((8, 10, 3), np.uint8), img_path='a.png', img_shape=(8, 10), ori_shape=(8, 10))
    assert LoadCountAnnotations('counted_bboxes')(dict(data)).keys() == data.keys()
    sample = PackCountInputs(image_counts='annotations')(LoadCountAnnotations('none')(dict(data)))['data_samples']
    assert 'gt_instances' not in sample
    assert 'gt_counts' not in sample


@pytest.mark.parametrize('key', ['sample_idx', 'num_classes'])
def test_an_image_of_a_data_set_without_annotations_is_still_an_error(key):
    with pytest.raises(ValueError, match=r"number of classes unknown|has no 'labels'"):
        LoadCountAnnotations('counted_bboxes')({'img_id': 'one', key: 3})


def test_samples_become_arrays_and_tensors_again():
    sample = pack(results())
    sample.pred_counts = torch.ones(2)
    arrays = sample.numpy()
    assert isinstance(arrays.gt_counts, np.ndarray)
    assert arrays.to_tensor().pred_counts.tolist() == [1.0, 1.0]
