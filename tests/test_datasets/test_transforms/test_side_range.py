"""Resizing into a range of side lengths: published sizes, what stays as it is, points go with the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.datasets.transforms import ResizeToSideRange
from mmcount.registry import TRANSFORMS
from mmcount.structures import PointBoxes

sides = st.integers(1, 4000)


@pytest.mark.parametrize(
    ('size', 'new'),
    [((600, 800), (1440, 1920)), ((300, 1800), (384, 1920)), ((1920, 1000), (1920, 992)), ((4000, 3000), (1920, 1440))],
)
def test_sizes_of_nwpu_as_dm_count_prepares_it(size, new):
    transform = ResizeToSideRange(short=(384, None), long=(1920, 1920), divisor=16)
    assert transform.new_size(size) == new
    assert transform.new_size(size[::-1]) == new[::-1]


@pytest.mark.parametrize(
    ('size', 'new'), [((300, 400), (512, 682)), ((3000, 4096), (2048, 2796)), ((600, 9000), (600, 9000))]
)
def test_sizes_of_qnrf_as_dm_count_prepares_it(size, new):
    assert ResizeToSideRange(short=(512, 2048)).new_size(size) == new


@settings(max_examples=100, deadline=None)
@given(sides, sides)
def test_a_limit_of_the_longer_side_leaves_smaller_images_alone(height, width):
    new = ResizeToSideRange(long=(None, 1408)).new_size((height, width))
    if max(height, width) <= 1408:
        assert new == (height, width)
    else:
        assert max(new) == 1408
        assert min(new) == max(1, int(min(height, width) * 1408 / max(height, width) + 1e-6))


def test_points_go_with_the_image_and_the_scale_is_noted():
    results = dict(
        img=np.zeros((20, 40, 3), np.uint8),
        img_shape=(20, 40),
        gt_bboxes=PointBoxes(np.array([[19.5, 9.5], [45.0, 3.0]], np.float32)),
        gt_bboxes_labels=np.zeros(2, np.int64),
    )
    results = TRANSFORMS.build(dict(type='mmcount.ResizeToSideRange', long=(80, 80)))(results)
    assert results['img'].shape == (40, 80, 3)
    assert results['scale_factor'] == (2.0, 2.0)
    # Pixel centres are at integers, and a point beyond the border stays beyond it.
    np.testing.assert_allclose(results['gt_bboxes'].tensor.numpy(), [[39.5, 19.5], [90.5, 6.5]])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(short=(0, None)), r'short must be \(smallest, largest\) positive lengths or None, got \(0, None\)'),
        (dict(long=(100, 50)), r'long must be .* got \(100, 50\)'),
        (dict(divisor=0), 'divisor must be at least 1, got 0'),
    ],
)
def test_ranges_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ResizeToSideRange(**options)
