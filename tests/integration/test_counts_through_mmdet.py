"""The count of a box stays with it through every transform of mmdet that touches boxes.

Each box of every image has a label of its own, from which its count follows. The same transform with the same random
numbers on plain boxes says which boxes must be left, where they must be, and in which order.
"""

import copy
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.datasets import MultiImageMixDataset
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.dataset import Compose

import mmcount.datasets  # noqa: F401
from mmcount.datasets import CountDataset
from mmcount.datasets.transforms import CountsInLabels
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes

SHAPE = (64, 80)

# Takes boxes with counts as it takes its own.
DIRECT = {
    'Resize': dict(scale=(130, 60), keep_ratio=False),
    'FixShapeResize': dict(width=60, height=90),
    'FixScaleResize': dict(scale=(120, 90), keep_ratio=True),
    # under another default scope 'Resize' alone would be mmcv's, which cannot resize these boxes
    'ResizeShortestEdge': dict(scale=90, max_size=120, resize_type='mmdet.Resize'),
    'RandomFlip': dict(prob=1.0, direction=['horizontal', 'vertical', 'diagonal']),
    'RandomFlip_GLIP': dict(prob=1.0),
    'RandomShift': dict(prob=1.0, max_shift_px=30),
    'Pad': dict(size_divisor=64),
    'RandomCrop': dict(crop_size=(0.2, 0.4), crop_type='relative_range', allow_negative_crop=True),
    'RandomCenterCropPad': dict(
        crop_size=(48, 48), ratios=(0.6, 1.3), border=24, mean=[0, 0, 0], std=[1, 1, 1], to_rgb=False,
        test_pad_mode=None
    ),
    'MinIoURandomCrop': dict(min_ious=(0.1, 0.5)),
    'Expand': dict(prob=1.0, ratio_range=(1, 2)),
    'RandomAffine': dict(max_rotate_degree=30, scaling_ratio_range=(0.5, 1.5)),
    'Rotate': dict(prob=1.0, level=8),
    'ShearX': dict(prob=1.0, level=8),
    'ShearY': dict(prob=1.0, level=8),
    'TranslateX': dict(prob=1.0, level=8),
    'TranslateY': dict(prob=1.0, level=8),
    'GeomTransform': dict(prob=1.0),
    'FilterAnnotations': dict(min_gt_bbox_wh=(12, 12), keep_empty=False),
    'CutOut': dict(n_holes=3, cutout_shape=(8, 8)),
    'SegRescale': {},
    'PhotoMetricDistortion': {},
    'YOLOXHSVRandomAug': {},
    'AutoAugment': dict(
        policies=[
            [dict(type='mmdet.RandomShift', prob=1.0, max_shift_px=30)],
            [dict(type='mmdet.RandomCrop', crop_size=(40, 40))],
        ]
    ),
    'RandAugment': dict(
        aug_space=[[dict(type='mmdet.ShearX')], [dict(type='mmdet.TranslateY')], [dict(type='mmdet.Rotate')]], aug_num=2
    ),
    'RandomOrder': dict(transforms=[dict(type='mmdet.RandomShift', prob=1.0), dict(type='mmdet.RandomFlip', prob=1.0)]),
    'Mosaic': dict(img_scale=(80, 64), prob=1.0),
    'MixUp': dict(img_scale=(80, 64), ratio_range=(0.5, 1.5)),
    'CachedMosaic': dict(img_scale=(80, 64), prob=1.0),
    'CachedMixUp': dict(img_scale=(80, 64), prob=1.0),
}  # fmt: skip
COLOUR = (
    'AutoContrast', 'Brightness', 'Color', 'ColorTransform', 'Contrast', 'Equalize', 'Invert', 'Posterize', 'Sharpness',
    'Solarize', 'SolarizeAdd',
)  # fmt: skip
DIRECT.update({name: dict(prob=1.0) for name in COLOUR})
# Takes its own boxes only, or makes them anew from masks.
WRAPPED = {
    'RandomErasing': dict(n_patches=(1, 4), ratio=(0.1, 0.5), bbox_erased_thr=0.5),
    'CopyPaste': dict(max_num_pasted=6),
    'GTBoxSubOne_GLIP': {},
    'RandomCrop recomputing': dict(crop_size=(40, 60), recompute_bbox=True, allow_negative_crop=True),
}
MOVING = (
    'RandomCrop', 'MinIoURandomCrop', 'RandomShift', 'FilterAnnotations', 'RandomErasing', 'Mosaic', 'MixUp',
    'CopyPaste',
)  # fmt: skip
MIXING = {'Mosaic': 3, 'MixUp': 1, 'CopyPaste': 1}
# Makes or packs annotations, is not about images with boxes, reads labels, or composes others.
APART = {
    'ImageToTensor', 'InferencerLoader', 'LoadAnnotations', 'LoadEmptyAnnotations', 'LoadImageFromNDArray',
    'LoadMultiChannelImageFromFiles', 'LoadPanopticAnnotations', 'LoadProposals', 'LoadTextAnnotations',
    'LoadTrackAnnotations', 'PackDetInputs', 'PackReIDInputs', 'PackTrackInputs', 'ToTensor', 'Transpose',
    'BaseFrameSample', 'UniformRefFrameSample', 'ImageAug', 'LinesToArray', 'PackLineDetectionInputs',
    'LineDetDataProcessor', 'LoadLineAnnotations', 'LoadOneDLSegmentation', 'RandomSamplingNegPos', 'MultiBranch',
    'ProposalBroadcaster',
    # before loading, on raw instances, and with libraries that mmdet does not need: Albu is wrapped, see below
    'InstaBoost', 'Albu', 'WrapFieldsToLists',
}  # fmt: skip


def count_of(labels):
    return np.asarray(labels) * 7 % 56 + 1


def sample(seed, counted, with_masks=False):
    """An image of 8 boxes whose labels no other image has; the same one for plain boxes."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform((0, 0), (SHAPE[1] - 30, SHAPE[0] - 30), (8, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(6, 30, (8, 2))], axis=1).round().astype(np.float32)
    labels = 8 * seed + rng.permutation(8)
    tensor = torch.from_numpy(boxes)
    column = torch.from_numpy(count_of(labels)).float()[:, None]
    results = dict(
        img=rng.integers(0, 255, (*SHAPE, 3), dtype=np.uint8),
        img_shape=SHAPE,
        ori_shape=SHAPE,
        gt_bboxes=CountedBoxes(torch.cat([tensor, column], dim=1)) if counted else HorizontalBoxes(tensor),
        gt_bboxes_labels=labels,
        gt_ignore_flags=rng.random(8) < 0.3,
        num_classes=200_000,
    )
    if with_masks:
        results['gt_masks'] = HorizontalBoxes(tensor).create_masks(SHAPE)
    return results


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def build(name, options, wrapped=False):
    config = dict(type=f'mmdet.{name.split()[0]}', **copy.deepcopy(options))
    return TRANSFORMS.build(dict(type='mmcount.CountsInLabels', transform=config) if wrapped else config)


def outcome(name, options, seed, counted, wrapped=False):
    transform = build(name, options, wrapped)
    with_masks = name in ('CopyPaste', 'RandomCrop recomputing')
    results = sample(seed, counted, with_masks)
    if name in MIXING:
        results['mix_results'] = [sample(seed + 1 + k, counted, with_masks) for k in range(MIXING[name])]
    if name.startswith('Cached'):
        transform.results_cache = [sample(seed + 1 + k, counted) for k in range(4)]
    if name == 'RandomCenterCropPad':
        results['img'] = results['img'].astype(np.float32)
    if name == 'SegRescale':
        results['gt_seg_map'] = np.zeros(SHAPE, np.uint8)
    seed_everything(seed)
    return transform(results)


def check(counted, plain):
    assert isinstance(counted['gt_bboxes'], CountedBoxes)
    assert torch.equal(counted['gt_bboxes'].tensor[:, :4], plain['gt_bboxes'].tensor)
    for key in ('gt_bboxes_labels', 'gt_ignore_flags'):
        assert np.array_equal(counted[key], plain[key])
    assert np.array_equal(counted['gt_bboxes'].counts.numpy(), count_of(counted['gt_bboxes_labels']))
    assert np.array_equal(counted['img'], plain['img'])


@pytest.mark.parametrize('name', DIRECT)
@settings(deadline=None, derandomize=True, max_examples=4)
@given(seed=st.integers(0, 10_000))
def test_counts_stay_with_their_boxes(name, seed):
    check(outcome(name, DIRECT[name], seed, True), outcome(name, DIRECT[name], seed, False))


@pytest.mark.parametrize('name', WRAPPED)
@settings(deadline=None, derandomize=True, max_examples=5)
@given(seed=st.integers(0, 10_000))
def test_counts_stay_with_their_boxes_through_transforms_that_need_the_wrapper(name, seed):
    check(outcome(name, WRAPPED[name], seed, True, wrapped=True), outcome(name, WRAPPED[name], seed, False))


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('RandomErasing', AssertionError, None),
        ('GTBoxSubOne_GLIP', NotImplementedError, None),
        ('CopyPaste', NotImplementedError, r"wrap it: dict\(type='mmcount.CountsInLabels'"),
        ('RandomCrop recomputing', NotImplementedError, 'set its recompute_bbox=False'),
    ],
)
def test_without_the_wrapper_these_refuse_and_lose_no_count(name, error, message):
    with pytest.raises(error, match=message):
        outcome(name, WRAPPED[name], 1, True)


def test_transforms_do_drop_add_and_move_boxes_here():
    """Otherwise the tests above would hold of transforms that did nothing."""
    options = {**DIRECT, **WRAPPED}
    numbers = {
        name: {len(outcome(name, options[name], seed, True, name in WRAPPED)['gt_bboxes']) for seed in range(6)}
        for name in MOVING
    }
    assert all(found != {8} for found in numbers.values()), numbers
    assert max(numbers['Mosaic'] | numbers['MixUp'] | numbers['CopyPaste']) > 8


def test_every_transform_of_mmdet_is_looked_at():
    """A transform that a later mmdet adds must be put into one of the lists."""
    names = {
        name for name, kind in MMDET_TRANSFORMS.module_dict.items() if kind.__module__.startswith('mmdet.datasets')
    }
    known = {name.split()[0] for name in (*DIRECT, *WRAPPED)} | APART
    assert names - known == set()


def test_albumentations_are_given_plain_boxes(monkeypatch):
    """Albu needs a library that is not there: what it is given and gives back is what matters."""

    def like_albu(results):
        assert isinstance(results['gt_bboxes'], HorizontalBoxes)
        keep = [5, 2, 7]
        return {
            **results,
            'gt_bboxes': results['gt_bboxes'].numpy()[keep],
            'gt_bboxes_labels': [results['gt_bboxes_labels'][index] for index in keep],
        }

    before = sample(3, True)
    boxes = before['gt_bboxes'].tensor[[5, 2, 7]]
    after = CountsInLabels(like_albu)(before)
    assert torch.equal(after['gt_bboxes'].tensor, boxes)
    assert after['gt_bboxes_labels'].dtype == np.int64
    assert np.array_equal(after['gt_bboxes'].counts.numpy(), count_of(after['gt_bboxes_labels']))


def test_the_wrapper_leaves_plain_boxes_and_dropped_images_alone():
    plain = sample(2, False)
    after = build('RandomFlip', dict(prob=1.0), wrapped=True)(plain)
    assert isinstance(after['gt_bboxes'], HorizontalBoxes)
    assert np.array_equal(after['gt_bboxes_labels'], sample(2, False)['gt_bboxes_labels'])
    assert CountsInLabels(lambda results: None)(sample(2, True)) is None


@pytest.mark.parametrize('name', WRAPPED)
def test_the_wrapper_takes_images_without_boxes(name):
    transform = build(name, WRAPPED[name], wrapped=True)

    def empty():
        masks = BitmapMasks(np.zeros((0, *SHAPE), np.uint8), *SHAPE)
        return {
            **sample(0, True), 'gt_bboxes': CountedBoxes([]), 'gt_bboxes_labels': np.zeros(0, np.int64),
            'gt_ignore_flags': np.zeros(0, bool), 'gt_masks': masks,
        }  # fmt: skip

    after = transform({**empty(), 'mix_results': [empty()]})
    assert isinstance(after['gt_bboxes'], CountedBoxes)
    assert len(after['gt_bboxes']) == len(after['gt_bboxes_labels']) == 0


def test_the_wrapper_takes_transforms_that_keep_images_for_later():
    transform = build('CachedMosaic', DIRECT['CachedMosaic'], wrapped=True)
    mixed = False
    for seed in range(8):
        seed_everything(seed)
        after = transform(sample(seed, True))
        assert np.array_equal(after['gt_bboxes'].counts.numpy(), count_of(after['gt_bboxes_labels']))
        mixed |= len(set(np.asarray(after['gt_bboxes_labels']) // 8)) > 1
    assert mixed


def test_the_wrapper_names_what_it_needs():
    results = sample(1, True)
    with pytest.raises(ValueError, match=r'labels of .* must be in 0\.\.8, got 8\.\.15'):
        CountsInLabels(lambda results: results)({**results, 'num_classes': 9})
    del results['num_classes']
    with pytest.raises(ValueError, match="expected 'num_classes' in the results"):
        CountsInLabels(lambda results: results)(results)


def test_the_wrapper_tells_which_transforms_mix_images():
    assert hasattr(build('CopyPaste', {}, wrapped=True), 'get_indexes')
    assert not hasattr(build('RandomFlip', dict(prob=1.0), wrapped=True), 'get_indexes')
    copied = copy.deepcopy(build('CopyPaste', {}, wrapped=True))
    assert hasattr(copied, 'get_indexes')


def test_a_pipeline_of_mixed_images_packs_every_count_with_its_box():
    """Mosaic, affine, mix-up, crop and erasing in a row, from a data set to the packed sample."""
    infos = []
    for seed in range(8):
        one = sample(seed, False)
        boxes, labels = one['gt_bboxes'].tensor.numpy(), one['gt_bboxes_labels']
        infos.append(dict(img=one['img'], img_id=str(seed), bboxes=boxes, labels=labels, counts=count_of(labels)))
    load = [
        dict(type='mmcount.LoadImage'),
        dict(type='mmcount.LoadCountAnnotations', geometry='counted_bboxes'),
    ]
    dataset = CountDataset(
        data_list=infos, metainfo=dict(classes=tuple(str(label) for label in range(64))), pipeline=load
    )
    pipeline = [
        dict(type='mmdet.Mosaic', img_scale=(80, 64)),
        dict(type='mmdet.RandomAffine', border=(-40, -32)),
        dict(type='mmdet.MixUp', img_scale=(80, 64)),
        dict(type='mmdet.RandomCrop', crop_size=(70, 50), allow_negative_crop=True),
        dict(
            type='mmcount.CountsInLabels',
            transform=dict(type='mmdet.RandomErasing', n_patches=2, ratio=0.2, bbox_erased_thr=0.6),
        ),
        dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
        dict(type='mmcount.PackCountInputs'),
    ]
    mixed = MultiImageMixDataset(dataset, pipeline)
    total = 0
    for seed in range(12):
        seed_everything(seed)
        instances = mixed[seed % 8]['data_samples'].gt_instances
        assert instances.bboxes.shape == (len(instances), 4)
        assert np.array_equal(instances.counts.numpy(), count_of(instances.labels.numpy()))
        total += len(instances)
    assert total > 60


def test_proposals_and_boxes_with_counts_go_through_one_pipeline():
    """ProposalBroadcaster runs the same transforms on plain proposals."""
    results = sample(4, True)
    results['proposals'] = HorizontalBoxes(results['gt_bboxes'].tensor[:, :4].clone())
    transform = Compose(
        [TRANSFORMS.build(dict(type='mmdet.ProposalBroadcaster', transforms=[dict(type='mmdet.RandomFlip', prob=1.0)]))]
    )
    after = transform(results)
    assert torch.equal(after['proposals'].tensor, after['gt_bboxes'].tensor[:, :4])
    assert np.array_equal(after['gt_bboxes'].counts.numpy(), count_of(after['gt_bboxes_labels']))
