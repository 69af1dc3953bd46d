"""The compressed sigmoid and the comparison with a gradient, against the numbers of the paper and its code."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.models.binarization import binarize, compressed_sigmoid


def test_values_of_equation_9():
    x = torch.linspace(-30, 30, 601, dtype=torch.float64)
    torch.testing.assert_close(compressed_sigmoid(x), 1 / (2 + torch.exp(-x)) + 0.2)
    assert float(compressed_sigmoid(torch.tensor(0.0))) == pytest.approx(1 / 3 + 0.2, abs=1e-7)
    assert float(compressed_sigmoid(torch.tensor(0.0), compression=4, offset=0.5)) == pytest.approx(0.7)


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_range_and_gradients_are_finite(values):
    x = torch.tensor(values, dtype=torch.float32, requires_grad=True)
    out = compressed_sigmoid(x)
    out.sum().backward()
    assert bool(((out >= 0.2) & (out <= 0.7 + 1e-6)).all())
    assert torch.isfinite(x.grad).all()
    assert bool(((x.grad >= 0) & (x.grad <= 0.125 + 1e-6)).all())


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_half_types_do_not_overflow(dtype):
    x = torch.tensor([-6e4, -200.0, -12.0, 0.0, 12.0, 6e4], dtype=dtype, requires_grad=True)
    compressed_sigmoid(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert float(x.grad[3]) == pytest.approx(1 / 9, rel=1e-2)


def test_gradient_is_that_of_the_formula():
    x = torch.linspace(-5, 5, 21, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(compressed_sigmoid, x)
    peak = torch.tensor(-0.6931471805599453, dtype=torch.float64, requires_grad=True)
    compressed_sigmoid(peak).backward()
    assert float(peak.grad) == pytest.approx(1 / 8)


@pytest.mark.parametrize(
    ('confidence', 'truth', 'to_confidence', 'to_threshold'),
    [(0.8, 0.0, 0.2, -1.0), (0.2, 1.0, -0.2, 1.0), (0.8, 1.0, 0.0, 0.0), (0.2, 0.0, 0.0, 0.0), (0.5, 0.0, 0.2, -1.0)],
    ids=['false positive', 'false negative', 'true positive', 'true negative', 'tie'],
)
def test_signs_of_the_gradients(confidence, truth, to_confidence, to_threshold):
    """Descent lowers the confidence and raises the threshold of a false positive, and the reverse."""
    confidence = torch.full((1, 1, 1, 1), confidence, requires_grad=True)
    threshold = torch.full((1, 1, 1, 1), 0.5, requires_grad=True)
    F.l1_loss(binarize(confidence, threshold), torch.full((1, 1, 1, 1), truth)).backward()
    assert float(confidence.grad) == pytest.approx(to_confidence)
    assert float(threshold.grad) == pytest.approx(to_threshold)


@pytest.mark.parametrize('scales', [(0.0, -1.0), (0.2, 0.0), (0.5, -2.0)])
def test_scales_are_options_and_zero_cuts_the_path(scales):
    confidence, threshold = torch.rand(3, requires_grad=True), torch.rand(3, requires_grad=True)
    binarize(confidence, threshold, scales).sum().backward()
    for tensor, scale in zip((confidence, threshold), scales, strict=True):
        assert (tensor.grad is None) == (scale == 0)
        if scale:
            assert tensor.grad.tolist() == pytest.approx([scale] * 3)


def test_compared_in_float32():
    confidence = torch.tensor([0.5001, 0.4999])
    assert confidence.half()[0] == confidence.half()[1]
    assert binarize(confidence, torch.tensor([0.5])).tolist() == [1, 0]
    half = binarize(torch.tensor([0.5], dtype=torch.float16), torch.tensor([0.50001]))
    assert half.dtype == torch.float32
    assert half.tolist() == [0]


def test_broadcast_thresholds_sum_their_gradients():
    threshold = torch.tensor([[0.5]], requires_grad=True)
    binarize(torch.rand(4, 6), threshold).sum().backward()
    assert threshold.grad.tolist() == [[-24.0]]
