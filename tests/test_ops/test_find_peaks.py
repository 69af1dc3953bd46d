"""``find_peaks``: tie rule, absent pixels, borders, selection, and kernel against reference against brute force."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.ops import find_peaks
from mmcount.ops.reference import peaks as reference

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
PALETTE = (float('-inf'), float('inf'), float('nan'), -1.0, -0.0, 0.0, 0.5, 1.0, 2.0)


def brute_force(x, radius, threshold=None, border=0):
    """The rule as a sentence: not beaten by an earlier pixel (>=) nor a later one (>) of the clipped window."""
    maps = x.double().numpy()
    height, width = maps.shape[2:]
    found = []
    for n, c, i, j in np.ndindex(maps.shape):
        value = maps[n, c, i, j]
        if np.isnan(value) or (threshold is not None and not value > threshold):
            continue
        if not (border <= i < height - border and border <= j < width - border):
            continue
        window = itertools.product(
            range(max(0, i - radius), min(height, i + radius + 1)),
            range(max(0, j - radius), min(width, j + radius + 1)),
        )
        beaten = any(
            maps[(n, c, *q)] >= value if q < (i, j) else maps[(n, c, *q)] > value for q in window if q != (i, j)
        )
        if not beaten:
            found.append([n, c, i, j])
    return torch.tensor(found, dtype=torch.int64).reshape(-1, 4)


def assert_same_peaks(x, radius, threshold=None, border=0):
    positions, values = find_peaks(x, radius, threshold, border=border)
    expected, expected_values = reference.find_peaks(x, radius, threshold, border)
    assert torch.equal(positions, expected)
    assert values.dtype == x.dtype
    assert torch.equal(values, expected_values)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(data=st.data())
def test_kernel_and_reference_follow_the_rule_on_any_small_map(data):
    height, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    values = data.draw(st.lists(st.sampled_from(PALETTE), min_size=height * width, max_size=height * width))
    radius, border = data.draw(st.integers(0, 7)), data.draw(st.integers(0, 2))
    threshold = data.draw(st.sampled_from([None, 0.0, 0.5, float('-inf')]))
    x = torch.tensor(values).view(1, 1, height, width).to(data.draw(st.sampled_from(DTYPES)))
    expected = brute_force(x, radius, threshold, border)
    assert torch.equal(reference.find_peaks(x, radius, threshold, border)[0], expected)
    assert torch.equal(find_peaks(x, radius, threshold, border=border)[0], expected)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('radius', [1, 2, 7, 200])
@pytest.mark.parametrize('shape', [(3, 2, 28, 28), (1, 1, 1, 130), (1, 1, 130, 1), (1, 2, 37, 65), (2, 1, 20, 64)])
def test_kernel_agrees_with_the_reference(shape, radius, dtype):
    generator = torch.Generator().manual_seed(radius)
    coarse = torch.randint(0, 5, shape, generator=generator).to(dtype)
    odd = coarse.masked_fill(coarse == 1, float('nan')).masked_fill(coarse == 0, float('-inf'))
    for x in (torch.randn(shape, generator=generator).to(dtype), coarse, odd):
        for threshold, border in ((None, 0), (0.3, 0), (None, 2)):
            assert_same_peaks(x, radius, threshold, border)


@pytest.mark.parametrize('radius', [1, 2, 7, 15])
def test_large_map_agrees_with_the_reference(radius):
    noise = torch.randn(1, 1, 2048, 2048, generator=torch.Generator().manual_seed(0))
    assert_same_peaks(torch.nn.functional.avg_pool2d(noise, 5, 1, 2), radius)


def test_large_plateau_has_one_peak():
    assert find_peaks(torch.zeros(1, 1, 2048, 2048), 2047)[0].tolist() == [[0, 0, 0, 0]]


def test_ties_go_to_the_first_pixel_in_raster_order():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2:4] = 1
    assert find_peaks(x, 1)[0].tolist() == [[0, 0, 0, 0], [0, 0, 2, 2]]


@pytest.mark.parametrize('value', [0.0, -3.5, float('inf'), float('-inf')])
@pytest.mark.parametrize('radius', [1, 3])
def test_constant_map_has_its_peak_at_the_origin(value, radius):
    positions, values = find_peaks(torch.full((1, 2, 9, 9), value), radius)
    assert positions.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0]]
    assert values.tolist() == [value, value]


def test_nan_neither_wins_nor_suppresses():
    x = torch.tensor([[[[1.0, float('nan'), 2.0, float('nan')]]]])
    assert find_peaks(x, 1)[0][:, 3].tolist() == [0, 2]
    assert len(find_peaks(torch.full((2, 1, 4, 4), float('nan')), 1)[0]) == 0


def test_infinite_threshold_drops_masked_regions():
    x = torch.full((1, 1, 4, 4), float('-inf'))
    x[0, 0, 3, 3] = 0
    assert find_peaks(x, 1, threshold=float('-inf'))[0].tolist() == [[0, 0, 3, 3]]


@pytest.mark.parametrize('dtype', DTYPES)
def test_threshold_is_strict_after_rounding_to_the_dtype(dtype):
    x = torch.zeros(1, 1, 3, 3, dtype=dtype)
    x[0, 0, 1, 1] = 0.1
    assert len(find_peaks(x, 1, threshold=0.1)[0]) == 0
    assert len(find_peaks(x, 1, threshold=0.09)[0]) == 1


def test_border_pixels_are_no_peaks_but_still_compete():
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 0, 2], x[0, 0, 1, 2] = 3, 2
    assert [0, 0, 1, 2] not in find_peaks(x, 1, border=1)[0].tolist()
    assert len(find_peaks(x, 1, border=3)[0]) == 0


def test_radius_zero_keeps_every_present_pixel():
    x = torch.randn(2, 1, 4, 70)
    x[0, 0, 0, 0] = float('nan')
    assert len(find_peaks(x, 0)[0]) == x.numel() - 1
    assert torch.equal(find_peaks(x, 0, threshold=0.0)[0], (x > 0).nonzero())


@pytest.mark.parametrize('shape', [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 0, 4), (2, 3, 4, 0)])
@pytest.mark.parametrize('topk', [None, 2])
def test_empty_input_gives_an_empty_list(shape, topk):
    positions, values = find_peaks(torch.zeros(shape), 1, topk=topk)
    assert positions.shape == (0, 4)
    assert positions.dtype == torch.int64
    assert values.shape == (0,)


def test_memory_layout_does_not_matter():
    x = torch.randn(2, 3, 12, 20)
    expected = find_peaks(x, 1)
    strided = torch.empty(2, 3, 12, 41)[..., ::2][..., :20].copy_(x)
    swapped = x.transpose(2, 3).contiguous().transpose(2, 3)
    for layout in (x.to(memory_format=torch.channels_last), strided, swapped, x.expand(2, 3, 12, 20)):
        positions, values = find_peaks(layout, 1)
        assert torch.equal(positions, expected[0])
        assert torch.equal(values, expected[1])


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('topk', [0, 1, 3, 1000])
def test_topk_keeps_the_largest_of_each_channel(dtype, topk):
    x = torch.randint(0, 6, (2, 3, 9, 11), generator=torch.Generator().manual_seed(1)).to(dtype)
    positions, values = find_peaks(x, 1, topk=topk)
    everything = [(tuple(p), v) for p, v in zip(*(t.tolist() for t in find_peaks(x, 1)), strict=True)]
    expected = []
    for channel in itertools.product(range(2), range(3)):
        mine = [entry for entry in everything if entry[0][:2] == channel]
        expected += sorted(mine, key=lambda entry: (-entry[1], entry[0]))[:topk]
    assert positions.tolist() == [list(p) for p, _ in expected]
    assert values.tolist() == [v for _, v in expected]


def test_values_carry_no_gradient():
    assert not find_peaks(torch.randn(1, 1, 4, 4, requires_grad=True), 1)[1].requires_grad


def test_repeated_runs_are_bit_identical():
    x = torch.randint(0, 4, (4, 3, 30, 30)).float()
    first = find_peaks(x, 2)
    for _ in range(20):
        assert all(torch.equal(a, b) for a, b in zip(find_peaks(x, 2), first, strict=True))


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(x=torch.zeros(3, 4)), ValueError, r'\(N, C, H, W\), got \(3, 4\)'),
        (dict(x=torch.zeros(1, 1, 2, 2, dtype=torch.int64)), TypeError, 'torch.int64'),
        (dict(x=[1.0]), TypeError, 'list'),
        (dict(x=torch.zeros(1, 1, 2, 2), radius=-1), ValueError, 'radius must be 0 or more, got -1'),
        (dict(x=torch.zeros(1, 1, 2, 2), radius=1.5), TypeError, 'radius must be an int'),
        (dict(x=torch.zeros(1, 1, 2, 2), topk=-1), ValueError, 'topk'),
        (dict(x=torch.zeros(1, 1, 2, 2), border=-1), ValueError, 'border'),
        (dict(x=torch.zeros(1, 1, 2, 2), border=True), TypeError, 'border'),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        find_peaks(**arguments)


def test_opcheck_passes():
    x = torch.randn(2, 2, 6, 7)
    torch.library.opcheck(torch.ops.mmcount.find_peaks.default, (x, 1, 0.1, 0))
    torch.library.opcheck(torch.ops.mmcount.find_peaks_topk.default, (x, 2, None, 1, 3))
