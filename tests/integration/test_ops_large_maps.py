"""Maps of 8192 x 8192 pixels against OpenCV: indices, strides and sizes far beyond those of the other tests."""

import cv2
import numpy as np
import pytest
import torch

from mmcount.ops import find_components, find_peaks, is_compiled

SIDE = 8192

pytestmark = pytest.mark.skipif(not is_compiled(), reason='the Python reference would take minutes and 10 GB')


def opencv_peaks(image, radius):
    """The tie rule in four dilations: the maximum of the window, and above all that comes earlier in raster order."""
    width = 2 * radius + 1
    largest = image == cv2.dilate(image, np.ones((width, width), np.uint8))
    before = np.array([1] * radius + [0], np.uint8)
    left = cv2.dilate(image, before[None], anchor=(radius, 0))
    rows = cv2.dilate(image, np.ones((1, width), np.uint8))
    above = cv2.dilate(rows, before[:, None], anchor=(0, radius))
    return np.argwhere(largest & (image > left) & (image > above))


@pytest.mark.parametrize(('radius', 'dtype'), [(1, torch.float16), (7, torch.float32)])
def test_peaks_of_a_large_map_equal_opencv(radius, dtype):
    # From 1, because OpenCV puts 0 around the image; few levels, so that windows have ties.
    image = np.random.default_rng(radius).integers(1, 65, (SIDE, SIDE), np.uint8)
    positions, values = find_peaks(torch.from_numpy(image)[None, None].to(dtype), radius)
    expected = opencv_peaks(image, radius)
    assert len(expected) > 1e5
    assert int(positions[-1, 2]) > SIDE - 20  # the last row of windows is reached
    np.testing.assert_array_equal(positions[:, 2:].numpy(), expected)
    np.testing.assert_array_equal(values.numpy(), image[tuple(expected.T)])


@pytest.mark.parametrize('dtype', [torch.uint8, torch.float16])
def test_components_of_a_large_map_equal_opencv(dtype):
    coarse = (np.random.default_rng(0).random((SIDE // 8, SIDE // 8)) < 0.45).astype(np.uint8)
    image = np.repeat(np.repeat(coarse, 8, axis=0), 8, axis=1)
    found = find_components(torch.from_numpy(image).to(dtype), None if dtype == torch.uint8 else 0.5)
    _, _, stats, centroids = cv2.connectedComponentsWithStatsWithAlgorithm(image, 4, cv2.CV_32S, cv2.CCL_WU)
    left, top, width, height, area = stats[1:].T
    assert len(found.areas) > 50_000
    np.testing.assert_array_equal(found.bboxes.numpy(), np.column_stack((left, top, left + width, top + height)))
    np.testing.assert_array_equal(found.areas.numpy(), area)
    np.testing.assert_array_equal(found.centroids.numpy(), centroids[1:])
