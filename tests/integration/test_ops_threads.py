"""Results do not depend on the number of threads. Every case is large enough for the kernels to use two."""

import pytest
import torch

from mmcount.ops import find_components, find_peaks, match_points, peak_stimulation, topk_peak_mask


def maps(*shape):
    """Smooth float32 noise with plateaus."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return (torch.nn.functional.avg_pool2d(noise, 3, 1, 1) * 8).round() / 8


def stimulation(x, filter):
    leaf = x.clone().requires_grad_()
    out = peak_stimulation(leaf, 1, filter, grad='mean')
    out.scores.sum().backward()
    counts = torch.arange(x.shape[0] * x.shape[1]).view(x.shape[:2]) % 7
    return *out, leaf.grad, topk_peak_mask(x, out.mask, counts)


def points():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(5000, 2, generator=generator) * 1000, torch.rand(5000, 2, generator=generator) * 1000


CASES = {
    'many class maps': lambda: find_peaks(maps(16, 80, 28, 28), 1),
    'one large map': lambda: find_peaks(maps(1, 1, 1080, 1920), 7, 0.1, border=3),
    'half maps': lambda: find_peaks(maps(8, 20, 56, 56).half(), 2),
    'best of each channel': lambda: find_peaks(maps(16, 80, 28, 28), 1, topk=3),
    'stimulation, median': lambda: stimulation(maps(16, 80, 28, 28), 'median'),
    'stimulation, mean': lambda: stimulation(maps(16, 80, 28, 28).double(), 'mean'),
    'batch of component maps': lambda: find_components(maps(6, 1, 1080, 1920)[:, 0], 0.125, 8, 2, return_labels=True),
    'uneven batch of component maps': lambda: find_components(maps(3, 1, 2000, 2000)[:, 0] > 0.25),
    'many small component maps': lambda: find_components(maps(3000, 1, 40, 40)[:, 0].bfloat16(), 0.25),
    'crowd': lambda: [match_points(*points(), radius=20.0, rule=rule) for rule in ('cardinality', 'cost')],
}


@pytest.fixture
def restored_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize('case', CASES)
def test_two_threads_give_the_very_result_of_one(case, restored_threads):
    torch.set_num_threads(1)
    expected = [x for x in CASES[case]() if x is not None]
    for threads in (2, 3):
        torch.set_num_threads(threads)
        actual = [x for x in CASES[case]() if x is not None]
        for one, other in zip(expected, actual, strict=True):
            torch.testing.assert_close(other, one, rtol=0, atol=0, equal_nan=True)
