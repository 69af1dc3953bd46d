import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes

import mmcount.datasets  # noqa: F401
from mmcount.datasets.transforms import RandomScaleToMultiple, ResizeToMinimum
from mmcount.registry import TRANSFORMS
from mmcount.structures import PointBoxes

law = settings(deadline=None, derandomize=True, max_examples=100)
sides = st.integers(1, 3000)


def results_of(points, shape):
    img = np.zeros((*shape, 3), np.uint8)
    img[1::2] = 200
    return dict(
        img=img,
        img_shape=shape,
        gt_bboxes=PointBoxes(np.reshape(points, (-1, 2)).astype(np.float32)),
        gt_bboxes_labels=np.zeros(len(points), np.int64),
        gt_ignore_flags=np.zeros(len(points), bool),
        gt_seg_map=np.zeros(shape, np.uint8),
    )


def published_scale(size, factor):
    """IIM's rule, written down as it was described: width before height, in floating point."""
    height, width = size
    new_w, new_h = int(width * factor) // 32 * 32, int(height * factor) // 32 * 32
    if new_w < 1024:
        new_w, new_h = 1024, int(height * 1024 / width) // 32 * 32
    if new_h < 512:
        new_h, new_w = 512, int(width * 512 / height) // 32 * 32
    return new_h, new_w


@law
@given(st.integers(100, 3000), st.integers(100, 3000), st.integers(0, 9))
def test_the_random_scale_is_that_of_the_description(height, width, seed):
    random.seed(seed)
    factor = random.uniform(0.8, 1.2)
    random.seed(seed)
    assert RandomScaleToMultiple().new_size((height, width)) == published_scale((height, width), factor)


@law
@given(sides, sides, st.integers(0, 9))
def test_no_image_becomes_smaller_than_a_crop(height, width, seed):
    random.seed(seed)
    new = RandomScaleToMultiple().new_size((height, width))
    assert new[0] >= 512
    assert new[1] >= 1024
    assert new[0] % 32 == new[1] % 32 == 0


@law
@given(sides, sides, st.sampled_from([1.0, 2.0]), st.sampled_from(['down', 'up']))
def test_sides_reach_their_minimum_and_are_multiples(height, width, scale, rounding):
    new = ResizeToMinimum(scale, rounding=rounding).new_size((height, width))
    assert new[0] >= 768
    assert new[1] >= 1024
    assert new[0] % 16 == new[1] % 16 == 0
    big = (int(height * scale), int(width * scale))
    if big[0] >= 768 and big[1] >= 1024:
        least, most = (0, 15) if rounding == 'down' else (-16, -1)
        assert all(least <= old - one <= most for old, one in zip(big, new, strict=True))
    else:
        # One side hits its minimum, and the ratio is that of the image up to one multiple.
        assert new[0] == 768 or new[1] == 1024
        free, fixed = (0, 1) if new[1] == 1024 and new[0] != 768 else (1, 0)
        assert 0 < new[free] - big[free] * new[fixed] / big[fixed] <= 17


@pytest.mark.parametrize(
    ('config', 'size', 'expected'),
    [
        (dict(scale=2), (768, 1024), (1536, 2048)),  # ShanghaiTech B
        (dict(scale=2), (256, 300), (880, 1024)),  # a small image of ShanghaiTech A: 512 x 600
        (dict(scale=2), (200, 1024), (768, 3936)),
        (dict(rounding='up'), (2013, 2900), (2016, 2912)),  # UCF-QNRF
        (dict(rounding='up'), (2016, 2912), (2032, 2928)),
        (dict(), (768, 1024), (768, 1024)),
        (dict(), (767, 1024), (768, 1040)),
    ],
)
def test_the_published_preparations(config, size, expected):
    assert TRANSFORMS.build(dict(type='mmcount.ResizeToMinimum', **config)).new_size(size) == expected


def test_points_and_maps_go_with_the_image_also_outside():
    results = ResizeToMinimum(min_size=(32, 64), divisor=16)(results_of([[0, 0], [9.5, 4], [-3, 2], [99, 99]], (8, 20)))
    assert results['img'].shape == (32, 96, 3)
    assert results['img_shape'] == (32, 96)
    assert results['gt_seg_map'].shape == (32, 96)
    assert results['scale_factor'] == (4.8, 4.0)
    # A point scales by the edges of its pixel: the centre of the first of 4.8 pixels is at 1.9.
    expected = [[1.9, 1.5], [47.5, 17.5], [-12.5, 9.5], [477.1, 397.5]]
    np.testing.assert_allclose(results['gt_bboxes'].tensor.numpy(), expected, atol=1e-4)


def test_boxes_are_not_clipped():
    results = results_of([], (16, 16))
    results.update(gt_bboxes=HorizontalBoxes([[-4.0, 2, 8, 20]]), gt_bboxes_labels=np.zeros(1, np.int64))
    results = ResizeToMinimum(min_size=(32, 64), divisor=16)(results)
    assert results['img_shape'] == (80, 64)
    np.testing.assert_allclose(results['gt_bboxes'].tensor.numpy(), [[-16, 10, 32, 100]])


def test_two_sizes_in_a_row_have_one_scale_factor():
    results = ResizeToMinimum(scale=2, min_size=(16, 16))(results_of([[10, 10]], (32, 48)))
    assert results['scale_factor'] == (2, 2)
    results = RandomScaleToMultiple((0.5, 0.5), min_size=(16, 16), divisor=16)(results)
    assert results['img_shape'] == (32, 48)
    assert results['scale_factor'] == (1, 1)
    np.testing.assert_allclose(results['gt_bboxes'].tensor.numpy(), [[10, 10]], atol=1e-5)


def test_the_factor_is_drawn_anew_for_every_image_and_by_seed():
    transform = RandomScaleToMultiple(min_size=(32, 32))
    shapes = []
    for _ in range(2):
        random.seed(1)
        shapes.append([transform(results_of([], (320, 480)))['img_shape'] for _ in range(8)])
    assert shapes[0] == shapes[1]
    assert len(set(shapes[0])) > 3
    assert all(256 <= height <= 384 and 384 <= width <= 576 for height, width in shapes[0])


@pytest.mark.parametrize('heads', [0, 1, 13000])
def test_any_number_of_heads_is_scaled(heads):
    points = np.random.default_rng(0).uniform(-50, 200, (heads, 2))
    results = RandomScaleToMultiple((1.0, 1.0), min_size=(64, 128), divisor=32)(results_of(points, (40, 100)))
    height, width = results['img_shape']
    expected = (points + 0.5) * (width / 100, height / 40) - 0.5
    assert results['gt_bboxes'].tensor.shape == (heads, 2)
    np.testing.assert_allclose(results['gt_bboxes'].tensor.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(
    ('name', 'options', 'message'),
    [
        ('RandomScaleToMultiple', dict(scale_range=(1.2, 0.8)), 'scale_range must be'),
        ('RandomScaleToMultiple', dict(scale_range=(0, 1)), 'scale_range must be'),
        ('RandomScaleToMultiple', dict(min_size=(500, 1024)), 'multiples of divisor=32'),
        ('ResizeToMinimum', dict(divisor=0), 'divisor must be at least 1'),
        ('ResizeToMinimum', dict(scale=0), 'scale must be positive'),
        ('ResizeToMinimum', dict(rounding='nearest'), 'rounding must be'),
    ],
)
def test_options_that_cannot_be_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type=f'mmcount.{name}', **options))
