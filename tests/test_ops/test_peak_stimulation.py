"""``peak_stimulation`` and ``topk_peak_mask``: published numbers, filters, gradients, and kernel against reference."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.ops import find_peaks, peak_stimulation, topk_peak_mask
from mmcount.ops.peak_stimulation import _parse_filter
from mmcount.ops.reference import peaks as reference

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
FILTERS = ('median', 'mean', 'max', 0.25, None)
PALETTE = (float('-inf'), float('inf'), float('nan'), -1.0, -0.0, 0.0, 0.5, 1.0, 2.0)


@pytest.fixture
def class_maps():
    n, c, i, j = np.meshgrid(*(np.arange(size) for size in (2, 3, 6, 6)), indexing='ij')
    return torch.from_numpy(np.sin(1.3 * i + 0.7 * j * (c + 1) + n) + 0.05 * (i - j))


def assert_same_stimulation(x, radius, filter):
    out = peak_stimulation(x, radius, filter)
    scores, counts, mask = reference.peak_stimulation(x, radius, *_parse_filter(filter), False)
    assert torch.equal(out.mask, mask)
    assert torch.equal(out.counts, counts)
    assert out.scores.dtype == x.dtype
    torch.testing.assert_close(out.scores, scores, equal_nan=True)


def test_scores_and_counts_match_the_authors_functions(class_maps):
    out = peak_stimulation(class_maps)
    assert out.counts.tolist() == [[3, 3, 4], [2, 3, 6]]
    expected = torch.tensor([[1.0506, 1.0054, 0.9418], [1.0648, 0.9881, 0.9369]], dtype=torch.float64)
    torch.testing.assert_close(out.scores, expected, atol=5e-5, rtol=0)


def test_pseudo_ground_truth_matches_the_authors_functions(class_maps):
    counts = torch.tensor([[2, 0, 7], [0, 1, 3]])
    mask = peak_stimulation(class_maps).mask
    low = [[0, 0, 1, 0], [0, 0, 5, 2]]
    second = [[1, 1, 5, 0], [1, 2, 2, 2], [1, 2, 5, 0], [1, 2, 5, 3]]
    assert topk_peak_mask(class_maps, mask, counts, limit=4).nonzero().tolist() == low + second
    unlimited = topk_peak_mask(class_maps, mask, counts)
    assert torch.equal(unlimited[0, 2], mask[0, 2])
    assert int(unlimited[0, 2].sum()) == 4


def test_plateaus_give_one_peak_each():
    x = torch.zeros(1, 1, 5, 5)
    assert peak_stimulation(x).positions.tolist() == [[0, 0, 0, 0]]
    x[0, 0, 2, 2:4] = 1
    assert peak_stimulation(x).positions.tolist() == [[0, 0, 0, 0], [0, 0, 2, 2]]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(data=st.data())
def test_kernel_agrees_with_the_reference_on_any_small_map(data):
    height, width = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7))
    values = data.draw(st.lists(st.sampled_from(PALETTE), min_size=height * width, max_size=height * width))
    x = torch.tensor(values).view(1, 1, height, width).to(data.draw(st.sampled_from(DTYPES)))
    assert_same_stimulation(x, data.draw(st.integers(0, 4)), data.draw(st.sampled_from(FILTERS)))


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('filter', FILTERS)
def test_kernel_agrees_with_the_reference(filter, dtype):
    generator = torch.Generator().manual_seed(0)
    for x in (
        torch.randn(2, 3, 28, 28, generator=generator),
        torch.randint(0, 4, (2, 3, 14, 14), generator=generator).float(),
        torch.randn(1, 1, 17, 90, generator=generator),
        torch.full((1, 2, 28, 28), 0.1),
    ):
        for radius in (1, 3):
            assert_same_stimulation(x.to(dtype), radius, filter)


@pytest.mark.parametrize('pixels', [35, 36])
def test_median_is_the_lower_one(pixels):
    x = torch.randperm(pixels, generator=torch.Generator().manual_seed(3)).float().view(1, 1, 1, pixels)
    everything, _ = find_peaks(x, 1)
    expected = [p for p in everything[:, 3].tolist() if x[0, 0, 0, p] >= (pixels - 1) // 2]
    assert peak_stimulation(x, 1, 'median').positions[:, 3].tolist() == expected


@pytest.mark.parametrize('filter', ['median', 'mean', 'max', None])
@pytest.mark.parametrize('value', [0.1, -7.3, 0.0, 1e30])
def test_the_maximum_survives_every_level_of_its_own_channel(filter, value):
    assert peak_stimulation(torch.full((1, 1, 28, 28), value), 1, filter).counts.tolist() == [[1]]


def test_a_channel_without_peaks_left_scores_zero_and_an_absent_one_nan():
    x = torch.zeros(1, 2, 3, 3)
    x[0, 1] = float('nan')
    x.requires_grad_()
    out = peak_stimulation(x, 1, filter=5.0)
    assert out.scores[0, 0] == 0
    assert out.scores[0, 1].isnan()
    out.scores[0, 0].backward()
    assert not x.grad.any()


def test_gradient_of_sum_is_the_peak_mask():
    x = torch.randn(2, 3, 9, 9, requires_grad=True)
    out = peak_stimulation(x)
    weight = torch.randn(2, 3)
    out.scores.backward(weight)
    assert torch.equal(x.grad, out.mask * weight[..., None, None])


@pytest.mark.parametrize('filter', FILTERS)
def test_gradient_of_mean_is_the_true_derivative(filter):
    x = torch.randn(2, 2, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def scores(maps):
        return peak_stimulation(maps, 1, filter, grad='mean').scores

    assert torch.autograd.gradcheck(scores, (x,))
    assert torch.autograd.gradgradcheck(scores, (x,))


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('grad', ['sum', 'mean'])
def test_backward_agrees_with_the_reference(grad, dtype):
    out = peak_stimulation(torch.randn(2, 3, 14, 14))
    upstream = torch.randn(3, 2).to(dtype).t()
    actual = torch.ops.mmcount.peak_stimulation_backward(upstream, out.counts, out.mask, grad == 'mean')
    expected = reference.peak_stimulation_backward(upstream, out.counts, out.mask, grad == 'mean')
    torch.testing.assert_close(actual, expected)


def test_empty_batch_has_empty_scores():
    x = torch.zeros(0, 4, 5, 5, requires_grad=True)
    out = peak_stimulation(x)
    assert out.scores.shape == (0, 4)
    assert out.positions.shape == (0, 4)
    out.scores.sum().backward()
    assert x.grad.shape == x.shape
    assert topk_peak_mask(x, out.mask, out.counts).shape == x.shape


def test_memory_layout_does_not_matter():
    x = torch.randn(2, 3, 10, 12)
    expected = peak_stimulation(x)
    out = peak_stimulation(x.to(memory_format=torch.channels_last))
    assert torch.equal(out.mask, expected.mask)
    assert torch.equal(out.scores, expected.scores)


def test_ties_at_the_rank_all_stay_and_short_channels_keep_what_they_have():
    x = torch.zeros(1, 1, 5, 9)
    x[0, 0, 2, ::2] = 1
    mask = peak_stimulation(x, 1, filter='max').mask
    assert int(mask.sum()) == 5
    assert torch.equal(topk_peak_mask(x, mask, torch.tensor([[2]])), mask)
    assert torch.equal(topk_peak_mask(x, mask, torch.tensor([[99]])), mask)


@pytest.mark.parametrize('limit', [None, 0, 1, 4])
@pytest.mark.parametrize('dtype', DTYPES)
def test_topk_mask_agrees_with_the_reference(limit, dtype):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(-3, 6, (3, 4, 11, 7), generator=generator).to(dtype)
    mask = peak_stimulation(x).mask
    counts = torch.randint(-1, 7, (3, 4), generator=generator)
    expected = reference.topk_peak_mask(x, mask, counts, limit)
    assert torch.equal(topk_peak_mask(x, mask, counts, limit), expected)
    assert torch.equal(topk_peak_mask(x, mask, counts.float(), limit), expected)


def test_zero_and_excess_counts_keep_nothing():
    x = torch.randn(1, 3, 8, 8)
    mask = peak_stimulation(x).mask
    assert not topk_peak_mask(x, mask, torch.tensor([[0, -1, 5]]), limit=4).any()


@pytest.mark.parametrize(
    ('arguments', 'error', 'message'),
    [
        (dict(x=torch.zeros(1, 1, 0, 3)), ValueError, 'at least 1 x 1'),
        (dict(x=torch.zeros(4, 4)), ValueError, r'\(N, C, H, W\)'),
        (dict(x=torch.zeros(1, 1, 3, 3), filter='mode'), ValueError, "'mode'"),
        (dict(x=torch.zeros(1, 1, 3, 3), filter=True), ValueError, 'True'),
        (dict(x=torch.zeros(1, 1, 3, 3), grad='max'), ValueError, "'max'"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        peak_stimulation(**arguments)


def test_wrong_topk_arguments_are_named():
    x, mask, counts = torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3, dtype=torch.bool), torch.zeros(1, 2)
    with pytest.raises(TypeError, match='mask must be bool'):
        topk_peak_mask(x, mask.float(), counts)
    with pytest.raises(ValueError, match='counts'):
        topk_peak_mask(x, mask, counts[0])
    with pytest.raises(ValueError, match='limit'):
        topk_peak_mask(x, mask, counts, limit=-1)


def test_opcheck_passes():
    x = torch.randn(2, 2, 6, 7, requires_grad=True)
    ops = torch.ops.mmcount
    torch.library.opcheck(ops.peak_stimulation.default, (x, 1, 'median', 0.0, True))
    out = peak_stimulation(x)
    grad = torch.randn(2, 2, requires_grad=True)
    torch.library.opcheck(ops.peak_stimulation_backward.default, (grad, out.counts, out.mask, False))
    torch.library.opcheck(ops.topk_peak_mask.default, (x.detach(), out.mask, torch.ones(2, 2, dtype=torch.int64), 4))
