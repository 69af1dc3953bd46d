"""``find_components``: against a flood fill, OpenCV and SciPy; dtypes, thresholds, order, strides, errors."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmcount.ops import find_components
from mmcount.ops.reference import components as reference

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def flood_fill(mask, connectivity):
    """Labels in raster order of the first pixel, one pixel at a time."""
    mask = np.asarray(mask, bool)
    steps = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    if connectivity == 8:
        steps += [(1, 1), (1, -1), (-1, 1), (-1, -1)]
    labels, count = np.zeros(mask.shape, np.int32), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        count += 1
        labels[start], todo = count, [start]
        while todo:
            y, x = todo.pop()
            for dy, dx in steps:
                q = y + dy, x + dx
                if 0 <= q[0] < mask.shape[0] and 0 <= q[1] < mask.shape[1] and mask[q] and not labels[q]:
                    labels[q] = count
                    todo.append(q)
    return labels


def assert_same_as_opencv(mask, connectivity):
    """Order, boxes, areas, centroids and labels, without tolerance."""
    image = np.ascontiguousarray(mask, np.uint8)
    count, labels, stats, centroids = cv2.connectedComponentsWithStatsWithAlgorithm(
        image, connectivity, cv2.CV_32S, cv2.CCL_WU
    )
    found = find_components(torch.from_numpy(image), connectivity=connectivity, return_labels=True)
    assert len(found.areas) == count - 1
    left, top, width, height, area = stats[1:].T
    np.testing.assert_array_equal(found.bboxes.numpy(), np.column_stack((left, top, left + width, top + height)))
    np.testing.assert_array_equal(found.areas.numpy(), area)
    np.testing.assert_array_equal(found.centroids.numpy(), centroids[1:])
    np.testing.assert_array_equal(found.labels.numpy(), labels)
    assert (found.scores == 1).all()


def spiral(size):
    """One path of 1 px that winds inwards with 1 px gaps."""
    mask = np.zeros((size, size), np.uint8)
    y, x, dy, dx = 0, 0, 0, 1
    mask[0, 0] = 1
    turned = 0
    while turned < 2:
        ahead = [(y + k * dy, x + k * dx) for k in (1, 2)]
        blocked = not (0 <= ahead[0][0] < size and 0 <= ahead[0][1] < size)
        if not blocked and 0 <= ahead[1][0] < size and 0 <= ahead[1][1] < size:
            blocked = bool(mask[ahead[1]])
        if blocked:
            dy, dx, turned = dx, -dy, turned + 1
            continue
        y, x, turned = *ahead[0], 0
        mask[y, x] = 1
    return mask


def comb(height, width):
    """Teeth that only join in the last row: many labels, all merged late."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, ::2] = 1
    mask[-1] = 1
    return mask


PATTERNS = {
    'ones': np.ones((70, 130), np.uint8),
    'zeros': np.zeros((9, 65), np.uint8),
    'checkerboard': (np.indices((33, 129)).sum(axis=0) % 2).astype(np.uint8),
    'columns': np.tile(np.array([1, 0], np.uint8), (40, 64)),
    'spiral': spiral(67),
    'comb': comb(20, 200),
    'comb upside down': comb(20, 200)[::-1],
    'diagonal': np.eye(100, 128, dtype=np.uint8),
    'one pixel': np.ones((1, 1), np.uint8),
    'one row': (np.arange(300) % 3 > 0).astype(np.uint8)[None],
    'one column': (np.arange(300) % 3 > 0).astype(np.uint8)[:, None],
    'last pixel of a word': np.pad(np.ones((3, 1), np.uint8), ((0, 0), (63, 64))),
}


@pytest.mark.parametrize('connectivity', [4, 8])
@pytest.mark.parametrize('name', PATTERNS)
def test_patterns_equal_opencv(name, connectivity):
    assert_same_as_opencv(PATTERNS[name], connectivity)


def test_spiral_is_one_component():
    assert len(find_components(torch.from_numpy(PATTERNS['spiral'])).areas) == 1
    assert PATTERNS['spiral'].mean() < 0.6


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 200),
    density=st.floats(0.05, 0.95),
    connectivity=st.sampled_from([4, 8]),
    seed=st.integers(0, 2**31),
)
def test_noise_equals_opencv(height, width, density, connectivity, seed):
    assert_same_as_opencv(np.random.default_rng(seed).random((height, width)) < density, connectivity)


@pytest.mark.parametrize('connectivity', [4, 8])
def test_large_noise_equals_opencv_and_scipy(connectivity):
    mask = np.random.default_rng(5).random((700, 1031)) < 0.5
    assert_same_as_opencv(mask, connectivity)
    structure = np.ones((3, 3)) if connectivity == 8 else None
    labels, count = ndimage.label(mask, structure)
    found = find_components(torch.from_numpy(mask), connectivity=connectivity)
    assert len(found.areas) == count
    np.testing.assert_array_equal(np.sort(found.areas.numpy()), np.sort(np.bincount(labels.ravel())[1:]))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 80)),
    connectivity=st.sampled_from([4, 8]),
    min_area=st.integers(0, 4),
    use_map=st.booleans(),
    dtype=st.sampled_from([*FLOATS, torch.uint8]),
    seed=st.integers(0, 2**31),
)
def test_kernel_and_reference_equal_a_flood_fill(size, connectivity, min_area, use_map, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    prob = torch.rand(size, generator=generator)
    bounds = torch.rand(size, generator=generator) if use_map else 0.4
    if dtype == torch.uint8:
        prob, bounds = (prob * 9).to(dtype), (bounds * 9).to(dtype) if use_map else 3.5
    else:
        prob[torch.rand(size, generator=generator) < 0.1] = torch.nan
        prob, bounds = prob.to(dtype), bounds.to(dtype) if use_map else bounds
    wide = prob.double()
    mask = wide >= (bounds.double() if use_map else torch.tensor(bounds).to(torch.float64))
    if not use_map and dtype != torch.float64 and dtype != torch.uint8:
        mask = prob.float() >= torch.tensor(bounds)
    expected = []
    labels = np.zeros(size, np.int32)
    for n in range(size[0]):
        number = 0
        image_labels = flood_fill(mask[n].numpy(), connectivity)
        for k in range(1, image_labels.max(initial=0) + 1):
            ys, xs = np.nonzero(image_labels == k)
            if len(ys) < min_area:
                continue
            number += 1
            labels[n, ys, xs] = number
            box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            expected.append([n, *box, len(ys), xs.mean(), ys.mean(), wide[n].numpy()[ys, xs].mean()])
    expected = np.array(expected, np.float64).reshape(-1, 9)
    found = find_components(prob, bounds, connectivity, min_area, return_labels=True)
    table, means, reference_labels = reference.find_components(
        prob, bounds if use_map else None, None if use_map else bounds, connectivity, min_area, True
    )
    got = torch.cat((found.image_ids[:, None], found.bboxes, found.areas[:, None]), dim=1)
    for stats in (got, table):
        np.testing.assert_array_equal(stats.numpy(), expected[:, :6])
    for values in (torch.cat((found.centroids, found.scores[:, None]), dim=1), means):
        np.testing.assert_allclose(values.numpy(), expected[:, 6:], rtol=1e-12, atol=1e-12)
    for image in (found.labels, reference_labels):
        np.testing.assert_array_equal(image.numpy(), labels)


@pytest.mark.parametrize('dtype', FLOATS)
def test_threshold_is_inclusive_and_nan_is_below_it(dtype):
    prob = torch.tensor([[0.5, 0.25, torch.nan, torch.inf, -torch.inf, 0.75]], dtype=dtype)
    assert find_components(prob, 0.5).bboxes[:, [0, 2]].tolist() == [[0, 1], [3, 4], [5, 6]]
    assert find_components(prob, -torch.inf).areas.tolist() == [2, 3]
    assert find_components(prob, torch.inf).areas.tolist() == [1]


def test_half_is_compared_in_float32():
    # 0.3 rounds up to 0.30005 in float16: as a float16 threshold it would let this pixel pass as well.
    prob = torch.tensor([[0.3]], dtype=torch.float16)
    assert find_components(prob, 0.30006).areas.tolist() == []
    assert find_components(prob, 0.30004).areas.tolist() == [1]


def test_nan_in_a_threshold_map_lets_nothing_pass():
    bounds = torch.tensor([[0.5, torch.nan, 0.5]])
    assert find_components(torch.ones(1, 3), bounds).bboxes[:, 0].tolist() == [0, 2]


@pytest.mark.parametrize(('threshold', 'areas'), [(-3.0, [6]), (127.5, [2]), (127, [3]), (255, [1]), (255.5, [])])
def test_uint8_maps_take_any_threshold(threshold, areas):
    prob = torch.tensor([[0, 1, 126, 127, 128, 255]], dtype=torch.uint8)
    found = find_components(prob, threshold)
    assert found.areas.tolist() == areas


@pytest.mark.parametrize('dtype', [torch.bool, torch.uint8, torch.int32, torch.int64])
def test_masks_need_no_threshold_and_score_one(dtype):
    found = find_components(torch.tensor([[0, 1, 1, 0, 1]]).to(dtype))
    assert found.areas.tolist() == [2, 1]
    assert found.scores.tolist() == [1.0, 1.0]


def test_score_is_the_mean_of_the_map_inside():
    prob = torch.tensor([[0.5, 1.0, 0.0], [0.75, 0.0, 0.5]])
    assert find_components(prob, 0.5).scores.tolist() == [0.75, 0.5]


def test_merging_runs_keep_all_scores():
    prob = torch.tensor([[1.0, 0.0, 0.5, 0.0, 0.75], [0.5, 0.5, 0.5, 0.5, 0.5]])
    found = find_components(prob, 0.5)
    assert found.areas.tolist() == [8]
    assert found.scores.tolist() == [4.75 / 8]


def test_min_area_renumbers_the_rest():
    mask = torch.tensor([[1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 0, 1]], dtype=torch.bool)
    found = find_components(mask, min_area=2, return_labels=True)
    assert found.labels.tolist() == [[0, 0, 1, 1, 0, 2], [0, 0, 0, 0, 0, 2]]
    assert found.areas.tolist() == [2, 2]
    assert len(find_components(mask, min_area=3).areas) == 0


def test_order_is_that_of_first_pixels_with_either_connectivity():
    # Block-based labelling meets the second row's left pixel first.
    mask = torch.tensor([[0, 0, 0, 0, 1], [1, 0, 0, 0, 0]], dtype=torch.uint8)
    for connectivity in (4, 8):
        assert find_components(mask, connectivity=connectivity).bboxes[:, 0].tolist() == [4, 0]


def test_a_batch_is_its_images_in_turn():
    masks = torch.rand(3, 20, 70, generator=torch.Generator().manual_seed(1)) < 0.5
    masks[1] = False
    found = find_components(masks, return_labels=True)
    singles = [find_components(mask, return_labels=True) for mask in masks]
    assert found.image_ids.tolist() == [n for n, one in enumerate(singles) for _ in one.areas]
    assert torch.equal(found.bboxes, torch.cat([one.bboxes for one in singles]))
    assert torch.equal(found.labels, torch.stack([one.labels for one in singles]))


def test_threads_do_not_change_the_result():
    prob = torch.rand(6, 700, 1000, generator=torch.Generator().manual_seed(2))
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(find_components(prob, 0.6, return_labels=True))
    finally:
        torch.set_num_threads(threads)
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    'view',
    [
        lambda x: x[:, 3:-2, 5:-7],
        lambda x: x.transpose(1, 2),
        lambda x: x[:, :, ::2],
        lambda x: x[::2],
        lambda x: x.flip(2),
    ],
    ids=['crop', 'transposed', 'column step', 'image step', 'flipped'],
)
def test_strided_maps_equal_their_copies(view):
    generator = torch.Generator().manual_seed(3)
    prob, bounds = torch.rand(3, 30, 140, generator=generator), torch.rand(3, 30, 140, generator=generator)
    got = find_components(view(prob), view(bounds), return_labels=True)
    expected = find_components(view(prob).contiguous(), view(bounds).contiguous(), return_labels=True)
    for one, two in zip(got, expected, strict=True):
        assert torch.equal(one, two)


def test_one_threshold_map_serves_a_batch():
    prob = torch.tensor([[[0.5, 0.5]], [[0.9, 0.1]]])
    assert find_components(prob, torch.tensor([[0.4, 0.6]])).image_ids.tolist() == [0, 1]


def test_map_and_thresholds_may_differ_in_dtype():
    prob = torch.tensor([[0.5, 0.2]], dtype=torch.float16)
    assert find_components(prob, torch.tensor([[0.5, 0.3]], dtype=torch.float64)).areas.tolist() == [1]
    assert find_components(prob > 0.3, torch.tensor([[1, 1]])).areas.tolist() == [1]


@pytest.mark.parametrize('shape', [(0, 4, 5), (2, 0, 5), (2, 4, 0), (0, 0), (0, 3), (3, 0)])
def test_empty_maps_have_no_components(shape):
    found = find_components(torch.zeros(shape), 0.5, return_labels=True)
    assert found.image_ids.shape == found.areas.shape == found.scores.shape == (0,)
    assert found.bboxes.shape == (0, 4)
    assert found.centroids.shape == (0, 2)
    assert found.labels.shape == shape


def test_result_types_and_no_labels_by_default():
    found = find_components(torch.ones(2, 3, requires_grad=True), 0.5)
    assert found.labels is None
    assert found.bboxes.dtype == found.areas.dtype == found.image_ids.dtype == torch.int64
    assert found.centroids.dtype == found.scores.dtype == torch.float64
    assert not found.scores.requires_grad


@pytest.mark.parametrize(
    ('prob', 'kwargs', 'message'),
    [
        (torch.zeros(3), {'threshold': 0.5}, r'shape \(H, W\)'),
        (torch.zeros(1, 1, 2, 2), {'threshold': 0.5}, r'shape \(H, W\)'),
        (torch.zeros(2, 2), {}, 'needs a threshold'),
        (torch.zeros(2, 2), {'threshold': float('nan')}, 'NaN'),
        (torch.zeros(2, 2), {'threshold': 0.5, 'connectivity': 6}, '4 or 8'),
        (torch.zeros(2, 2), {'threshold': 0.5, 'min_area': -1}, 'min_area'),
        (torch.zeros(2, 2), {'threshold': torch.zeros(2, 3)}, 'threshold map'),
        (torch.zeros(2, 2), {'threshold': torch.zeros(1, 2, 2)}, 'threshold map'),
    ],
)
def test_wrong_arguments_are_named(prob, kwargs, message):
    with pytest.raises(ValueError, match=message):
        find_components(prob, **kwargs)


def test_complex_maps_are_refused():
    with pytest.raises(TypeError, match='real'):
        find_components(torch.zeros(2, 2, dtype=torch.complex64), 0.5)


@pytest.mark.parametrize('labels', [False, True])
@pytest.mark.parametrize('use_map', [False, True])
def test_op_passes_opcheck(labels, use_map):
    prob = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(4))
    bounds = torch.full_like(prob, 0.5) if use_map else None
    torch.library.opcheck(
        torch.ops.mmcount.find_components.default,
        (prob, bounds, None if use_map else 0.5, 8, 1, labels),
        test_utils=('test_schema', 'test_faketensor', 'test_autograd_registration'),
    )
