import random
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

import mmcount.datasets  # noqa: F401
from mmcount.codecs import RedundantCountCodec
from mmcount.datasets.transforms import GenerateTarget, HaloCrop, RandomDihedral
from mmcount.datasets.transforms.geometric import cut_window, turn_boxes_, turn_image
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes, PointBoxes
from tests.encoding import encoded

law = settings(deadline=None, derandomize=True, max_examples=30)
symmetries = st.tuples(st.booleans(), st.integers(0, 3))
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


def window(size: int) -> RedundantCountCodec:
    return RedundantCountCodec(window_size=size)


def dots(seed: int, shape: tuple[int, int], num: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) distinct points on pixel centres, and the image on which point i has the value i + 1."""
    cells = np.random.default_rng(seed).permutation(shape[0] * shape[1])[:num]
    points = np.stack([cells % shape[1], cells // shape[1]], axis=1)
    img = np.zeros((*shape, 3), dtype=np.uint8)
    img[points[:, 1], points[:, 0]] = np.arange(1, len(points) + 1)[:, None]
    return points.astype(np.float32), img


def sample(seed: int, shape: tuple[int, int], num: int = 8) -> dict:
    points, img = dots(seed, shape, num)
    return dict(
        img=img,
        img_shape=shape,
        gt_bboxes=PointBoxes(points),
        gt_bboxes_labels=np.arange(len(points)),
        gt_ignore_flags=np.zeros(len(points), dtype=bool),
        gt_masks=PointBoxes(points).create_masks(shape),
    )


def assert_on_their_dots(results: dict) -> None:
    """Every point lies on the pixel that has its number, and there are no other lit pixels."""
    points = results['gt_bboxes'].tensor.numpy().astype(int)
    labels = results['gt_bboxes_labels']
    assert np.array_equal(results['img'][points[:, 1], points[:, 0], 0], labels + 1)
    assert (results['img'][..., 0] > 0).sum() == len(points) == len(results['gt_ignore_flags'])
    assert results['img'].shape[:2] == results['img_shape']
    masks = results['gt_masks'].masks
    assert masks.shape == (len(points), *results['img_shape'])
    assert (masks[np.arange(len(points)), points[:, 1], points[:, 0]] == 1).all()


@law
@given(sizes, symmetries, st.integers(0, 99))
def test_points_turn_with_their_pixels(shape, symmetry, seed):
    points, img = dots(seed, shape)
    boxes = PointBoxes(points)
    turn_boxes_(boxes, shape, *symmetry)
    turned = turn_image(img, *symmetry)
    columns, rows = boxes.tensor.numpy().T.astype(int)
    assert np.array_equal(turned[rows, columns, 0], np.arange(1, len(points) + 1))


@law
@given(sizes, symmetries, st.data())
def test_boxes_turn_with_their_pixels_and_keep_their_counts(shape, symmetry, data):
    height, width = shape
    x1, y1 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x2, y2 = data.draw(st.integers(x1 + 1, width)), data.draw(st.integers(y1 + 1, height))
    mask = np.zeros((1, height, width), dtype=np.uint8)
    mask[0, y1:y2, x1:x2] = 1
    turned = turn_image(mask, *symmetry, axes=(1, 2))
    wanted = BitmapMasks(turned, *turned.shape[1:]).get_bboxes('hbox').tensor
    hboxes, counted = HorizontalBoxes([[float(x1), y1, x2, y2]]), CountedBoxes([[float(x1), y1, x2, y2, 9]])
    for boxes in (hboxes, counted):
        turn_boxes_(boxes, shape, *symmetry)
        assert torch.equal(boxes.tensor[:, :4], wanted)
    assert counted.counts.tolist() == [9]


def test_random_dihedral_draws_all_eight_symmetries_equally_and_stays_aligned():
    random.seed(0)
    transform = TRANSFORMS.build(dict(type='mmcount.RandomDihedral'))
    seen: Counter[bytes] = Counter()
    for _ in range(400):
        results = transform(sample(0, (9, 9), num=5))
        assert_on_their_dots(results)
        seen[results['img'].tobytes()] += 1
    assert len(seen) == 8
    assert min(seen.values()) > 25


def test_random_dihedral_of_a_wide_image_swaps_its_shape_and_turns_the_segmentation():
    random.seed(1)
    shapes = set()
    for seed in range(20):
        results = sample(seed, (6, 11))
        results['gt_seg_map'] = results['img'][..., 0].copy()
        results = RandomDihedral()(results)
        assert_on_their_dots(results)
        assert np.array_equal(results['gt_seg_map'], results['img'][..., 0])
        shapes.add(results['img_shape'])
    assert shapes == {(6, 11), (11, 6)}


def test_random_dihedral_with_probability_zero_does_nothing():
    results = RandomDihedral(prob=0)(sample(3, (6, 11)))
    assert np.array_equal(results['img'], sample(3, (6, 11))['img'])
    with pytest.raises(ValueError, match='prob'):
        RandomDihedral(prob=1.5)


def test_random_dihedral_needs_no_annotations_but_bitmaps_if_masks():
    assert RandomDihedral()(dict(img=np.zeros((4, 6, 3), np.uint8)))['img'].ndim == 3
    masks = PolygonMasks([[np.array([0.0, 0, 1, 0, 1, 1])]], 4, 6)
    with pytest.raises(TypeError, match='RandomDihedral needs BitmapMasks, got PolygonMasks'):
        RandomDihedral()(dict(img=np.zeros((4, 6, 3), np.uint8), gt_masks=masks))


@law
@given(sizes, symmetries, st.integers(0, 99), st.sampled_from([1, 2, 4]))
def test_turning_then_encoding_is_encoding_the_turned_dots(shape, symmetry, seed, stride):
    """Points that were turned give the target that is computed anew from the turned image."""
    codec = RedundantCountCodec(window_size=8, stride=stride)
    points, img = dots(seed, shape)
    boxes = PointBoxes(points)
    turn_boxes_(boxes, shape, *symmetry)
    turned = turn_image(img, *symmetry)
    rows, columns = np.nonzero(turned[..., 0])
    fresh = np.stack([columns, rows], axis=1).astype(np.float32)
    labels = np.zeros(len(points), dtype=np.int64)
    wanted = encoded(codec, fresh, labels, turned.shape[:2])
    assert np.array_equal(encoded(codec, boxes.tensor.numpy(), labels, turned.shape[:2]), wanted)


@pytest.mark.parametrize('shape', [(256, 256), (150, 300), (128, 96), (97, 96), (96, 96), (20, 500), (5, 7)])
def test_a_halo_crop_has_its_size_and_points_on_their_dots(shape):
    random.seed(0)
    transform = TRANSFORMS.build(dict(type='mmcount.HaloCrop', codec=window(32), size=128))
    for seed in range(10):
        results = transform(sample(seed, shape, num=30))
        assert results['img'].shape == (160, 160, 3)
        assert results['halo'] == 32
        assert_on_their_dots(results)


def test_the_target_of_a_halo_crop_is_the_crop_of_the_target():
    """Crop and codec agree on the windows: what the network sees of a crop is what it sees of the whole image."""
    random.seed(0)
    codec = RedundantCountCodec(window_size=32, stride=1)
    transform, target = HaloCrop(window(32), size=64), GenerateTarget(codec)
    for seed in range(12):
        results = sample(seed, (100, 130), num=60)
        whole = encoded(codec, results['gt_bboxes'].tensor.numpy(), np.zeros(60, dtype=np.int64), (100, 130))
        padded = np.pad(results['img'], ((32, 32), (32, 32), (0, 0)))
        row, column = transform._draw_origin((100, 130))
        transform._draw_origin = lambda _, origin=(row, column): origin
        results = transform(results)
        del transform._draw_origin
        assert np.array_equal(results['img'], padded[row : row + 96, column : column + 96])
        results['gt_bboxes_labels'][:] = 0
        assert np.array_equal(target(results)['gt_map']['data'], whole[:, row : row + 64, column : column + 64])


def test_halo_crops_see_the_borders_as_often_as_asked_for():
    random.seed(0)
    wide, plain = HaloCrop(window(32), size=128, extend=48), HaloCrop(window(32), size=128, extend=0)
    origins = np.array([wide._draw_origin((256, 256)) for _ in range(4000)])
    assert origins.min() == 0
    assert origins.max() == 160
    # 48 of 257 draws on either side are moved to the border, which is itself one more.
    assert abs((origins == 0).mean() - 49 / 257) < 0.02
    assert abs((origins == 160).mean() - 49 / 257) < 0.02
    origins = np.array([plain._draw_origin((256, 256)) for _ in range(4000)])
    assert (origins == 0).mean() < 0.02


def test_objects_outside_of_the_image_do_not_appear_in_the_halo():
    results = sample(0, (20, 20), num=3)
    results['gt_bboxes'].tensor[1] = torch.tensor([-3.0, 5.0])
    results['img'][results['img'] == 2] = 0
    results = HaloCrop(window(8), size=40, extend=0)(results)
    assert results['gt_bboxes_labels'].tolist() == [0, 2]
    assert_on_their_dots(results)


@pytest.mark.parametrize('box_type', [HorizontalBoxes, CountedBoxes])
def test_boxes_are_cut_at_the_crop_and_dropped_outside_of_it(box_type):
    rows = [[0.0, 0, 10, 10, 4], [30, 30, 40, 40, 5], [5, 5, 38, 12, 6]]
    results = dict(
        img=np.ones((40, 40, 3), np.uint8),
        gt_bboxes=box_type([row[: box_type.box_dim] for row in rows]),
        gt_bboxes_labels=np.array([0, 1, 2]),
        gt_ignore_flags=np.array([False, True, True]),
    )
    crop = HaloCrop(window(4), size=20)
    crop._draw_origin = lambda _: (0, 0)
    results = crop(results)
    assert results['gt_bboxes'].tensor[:, :4].tolist() == [[4, 4, 14, 14], [9, 9, 24, 16]]
    assert results['gt_bboxes_labels'].tolist() == [0, 2]
    assert results['gt_ignore_flags'].tolist() == [False, True]
    if box_type is CountedBoxes:
        assert results['gt_bboxes'].counts.tolist() == [4, 6]


def test_a_halo_crop_of_an_empty_image_and_of_an_image_alone():
    results = sample(0, (50, 50), num=0)
    assert len(HaloCrop(window(4), size=16)(results)['gt_bboxes']) == 0
    alone = dict(img=np.zeros((3, 3, 3), np.uint8), gt_seg_map=np.ones((3, 3)))
    results = HaloCrop(window(4), size=16, pad_val=7)(alone)
    assert results['img_shape'] == (20, 20)
    assert (results['img'] == 7).sum() == (400 - 9) * 3
    assert (results['gt_seg_map'] == 255).sum() == 400 - 9


@pytest.mark.parametrize('options', [dict(size=0), dict(codec=None), dict(extend=-1)])
def test_wrong_options_of_halo_crop_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        HaloCrop(**{'codec': window(8), **options})
    with pytest.raises(TypeError, match="HaloCrop has no option 'halo' any more: give it the codec"):
        HaloCrop(size=8, halo=8)


@law
@given(sizes, st.integers(-60, 60), st.integers(-60, 60), st.integers(1, 50), st.integers(1, 50))
def test_a_window_is_the_image_within_padding(shape, top, left, height, width):
    img = np.random.default_rng(0).integers(1, 255, shape)
    padded = np.pad(img, 120)
    wanted = padded[top + 120 : top + 120 + height, left + 120 : left + 120 + width]
    assert np.array_equal(cut_window(img, top, left, height, width), wanted)
