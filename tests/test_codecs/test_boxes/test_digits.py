"""Counts of boxes: digits, coarse to fine, and plain numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.codecs import BoxCountCodec, CountRegressionCodec, DigitCodec
from mmcount.registry import CODECS

# base, stages -> bins and divisors for counts up to 56; 7 digits for counts up to 100.
TABLE = [
    (56, 2, 1, (64,), (1,)),
    (56, 10, 1, (100,), (1,)),
    (56, 2, 2, (8, 64), (8, 1)),
    (56, 2, 3, (4, 16, 64), (16, 4, 1)),
    (56, 2, 6, (2, 4, 8, 16, 32, 64), (32, 16, 8, 4, 2, 1)),
    (56, 10, 2, (10, 100), (10, 1)),
    (50, 10, 2, (10, 100), (10, 1)),
]


def certain(codec, bins, stage=-1):
    """Logits that are certain of their bins."""
    return 100.0 * torch.nn.functional.one_hot(bins, codec.bins[stage]).float()


@pytest.mark.parametrize('spread', ['even', 'published'])
@pytest.mark.parametrize(('max_count', 'base', 'num_stages', 'bins', 'divisors'), TABLE)
def test_bins_are_those_of_the_paper(max_count, base, num_stages, bins, divisors, spread):
    codec = DigitCodec(max_count, base, num_stages, spread=spread)
    assert (codec.bins, codec.divisors) == (bins, divisors)
    assert [codec.channels(stage) for stage in range(num_stages)] == list(bins)
    counts = torch.arange(1, max_count + 1)
    targets = codec.encode(counts)
    assert targets.dtype == torch.int64
    for stage, divisor in enumerate(divisors):
        assert targets[:, stage].tolist() == [count // divisor for count in range(1, max_count + 1)]
        assert int(targets[:, stage].max()) < bins[stage]


def test_spreads_differ_where_stages_do_not_divide_the_digits():
    assert DigitCodec(100, 2, 3, spread='published').bins == (2, 16, 128)
    assert DigitCodec(100, 2, 3, spread='even').bins == (4, 32, 128)
    assert DigitCodec(56, 2, 4, spread='even').bins == (4, 8, 32, 64)


@settings(max_examples=60, deadline=None)
@given(
    max_count=st.integers(1, 130),
    base=st.integers(2, 12),
    num_stages=st.integers(1, 8),
    spread=st.sampled_from(['even', 'published']),
)
def test_every_count_survives_the_round_trip(max_count, base, num_stages, spread):
    digits = 1
    while base**digits <= max_count:
        digits += 1
    step = -(-digits // num_stages)
    if num_stages > digits or (spread == 'published' and digits <= step * (num_stages - 1)):
        with pytest.raises(ValueError, match='stages'):
            DigitCodec(max_count, base, num_stages, spread=spread)
        return
    codec = DigitCodec(max_count, base, num_stages, spread=spread)
    counts = torch.arange(1, max_count + 1)
    targets = codec.encode(counts)
    assert codec.bins[-1] > max_count
    assert list(codec.bins) == sorted(set(codec.bins))
    decoded, scores = codec.decode(certain(codec, targets[:, -1]))
    assert torch.equal(decoded, counts)
    assert bool((scores > 0.99).all())
    stages = [certain(codec, targets[:, stage], stage) for stage in range(num_stages)]
    assert torch.equal(codec.decode(codec.fuse(stages))[0], counts)


def test_counts_above_the_largest_are_taught_as_the_largest():
    codec = DigitCodec(56, 2, 3)
    assert torch.equal(codec.encode(torch.tensor([57, 64, 10**6])), codec.encode(torch.tensor([56] * 3)))


@pytest.mark.parametrize('codec', [DigitCodec(), CountRegressionCodec()])
def test_counts_below_one_are_refused_by_index(codec):
    with pytest.raises(ValueError, match='got 0 at index 1'):
        codec.encode(torch.tensor([3, 0]))
    assert codec.encode(torch.zeros(0, dtype=torch.long)).shape == (0, 1)


def test_impossible_counts_are_never_predicted_unless_asked_for():
    codec = DigitCodec(max_count=20, base=10)
    logits = torch.zeros(2, 100)
    logits[:, 0], logits[:, 21], logits[:, 99], logits[:, 7] = 5.0, 6.0, 7.0, 1.0
    counts, scores = codec.decode(logits)
    assert counts.tolist() == [7, 7]
    expected = torch.tensor(1.0).exp() / (19 + torch.tensor(1.0).exp())
    torch.testing.assert_close(scores, expected.expand(2))
    published = DigitCodec(max_count=20, base=10, exclude_impossible=False)
    assert published.decode(logits)[0].tolist() == [99, 99]
    logits[:, 0] = 9.0
    assert published.decode(logits)[0].tolist() == [0, 0]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), max_count=st.integers(1, 60), base=st.sampled_from([2, 3, 10]))
def test_any_output_gives_a_possible_count(seed, max_count, base):
    codec = DigitCodec(max_count, base)
    logits = torch.randn(3, 4, codec.bins[-1], generator=torch.Generator().manual_seed(seed)) * 30
    counts, scores = codec.decode(logits)
    assert counts.shape == scores.shape == (3, 4)
    assert 1 <= int(counts.min()) <= int(counts.max()) <= max_count
    assert bool(((scores > 0) & (scores <= 1)).all())


def test_stages_decide_together():
    codec = DigitCodec(max_count=56, base=10, num_stages=2)
    coarse, fine = torch.zeros(1, 10), torch.zeros(1, 100)
    fine[0, 12], fine[0, 31] = 2.0, 1.5
    assert codec.decode(fine)[0].tolist() == [12]
    coarse[0, 3] = 4.0
    fused = codec.fuse([coarse, fine])
    assert codec.decode(fused)[0].tolist() == [31]
    expected = (coarse.log_softmax(1)[0, 3] + fine.log_softmax(1)[0, 31]) / 2
    torch.testing.assert_close(fused[0, 31], expected)


def test_overflowing_outputs_still_give_a_possible_count():
    codec = DigitCodec(max_count=20, base=10, num_stages=2)
    fine = torch.zeros(3, 100)
    fine[0, 7], fine[1, 0], fine[2] = float('inf'), float('inf'), float('nan')
    for output in (fine, codec.fuse([torch.zeros(3, 10), fine])):
        counts, scores = codec.decode(output)
        assert counts[0].item() == 7
        assert 1 <= int(counts.min()) <= int(counts.max()) <= 20
        assert bool(scores.isfinite().all())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(base=1), 'base must be at least 2'),
        (dict(max_count=0), 'max_count must be at least 1'),
        (dict(num_stages=0), 'num_stages must be at least 1'),
        (dict(base=10, num_stages=3), '2 digits cannot be shared by 3 stages'),
        (dict(base=2, num_stages=7), '6 digits cannot be shared by 7 stages'),
        (dict(base=2, num_stages=4, spread='published'), 'leaves 0 digits for the first of 4 stages'),
        (dict(base=2, num_stages=5, spread='published'), 'leaves -2 digits'),
        (dict(spread='uneven'), 'spread must be one of'),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DigitCodec(**options)


def test_outputs_of_other_stages_are_refused():
    with pytest.raises(ValueError, match=r'\[10, 100\] channels, got \[100\]'):
        DigitCodec(num_stages=2).fuse([torch.zeros(1, 100)])
    with pytest.raises(ValueError, match=r'\[1, 1\] channels, got \[1, 2\]'):
        CountRegressionCodec(2).fuse([torch.zeros(1, 1), torch.zeros(1, 2)])


def test_regression_rounds_and_never_goes_below_one():
    codec = CountRegressionCodec(num_stages=2, max_count=56)
    targets = codec.encode(torch.tensor([1, 56, 60]))
    assert targets.dtype == torch.float32
    assert targets.tolist() == [[1, 1], [56, 56], [56, 56]]
    output = torch.tensor([[3.4], [3.6], [-2.0], [0.2], [99.0], [float('nan')], [float('inf')]])
    counts, estimates = codec.decode(output)
    assert counts.dtype == torch.int64
    assert counts.tolist() == [3, 4, 1, 1, 56, 1, 56]
    assert estimates[:3].tolist() == pytest.approx([3.4, 3.6, -2.0])
    fused = codec.fuse([torch.tensor([[2.0]]), torch.tensor([[5.0]])])
    assert fused.tolist() == [[3.5]]
    assert CountRegressionCodec().decode(torch.tensor([[1e6]]))[0].tolist() == [10**6]


def test_codecs_are_registered():
    for kind in ('DigitCodec', 'CountRegressionCodec'):
        codec = CODECS.build(dict(type=f'mmcount.{kind}', num_stages=2))
        assert isinstance(codec, BoxCountCodec)
        assert 'num_stages=2' in repr(codec)
