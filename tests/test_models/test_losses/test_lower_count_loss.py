"""The loss terms of lower-count supervision: published numbers, formulas written out, empty sets."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.models.losses import lower_count_losses, sample_negatives
from mmcount.ops import peak_stimulation, topk_peak_mask


def golden():
    """The maps whose peaks, scores and losses were obtained from the published implementation."""
    n, c, i, j = torch.meshgrid(*(torch.arange(k, dtype=torch.float64) for k in (2, 3, 6, 6)), indexing='ij')
    maps = torch.sin(1.3 * i + 0.7 * j * (c + 1) + n) + 0.05 * (i - j)
    logits = 2 * torch.cos(0.9 * i - 0.4 * j * (c + 1) - n) + 0.5
    return maps, logits, torch.tensor([[2, 0, 7], [0, 1, 3]])


def terms_of(maps, logits, counts, **kwargs):
    peaks = peak_stimulation(maps)
    pseudo = topk_peak_mask(maps, peaks.mask, counts, limit=kwargs.get('limit', 4))
    return lower_count_losses(peaks.scores, logits, pseudo, counts, **kwargs)


def test_golden_peaks_and_counts():
    maps, logits, counts = golden()
    peaks = peak_stimulation(maps)
    assert peaks.counts.tolist() == [[3, 3, 4], [2, 3, 6]]
    scores = torch.tensor([[1.0506, 1.0054, 0.9418], [1.0648, 0.9881, 0.9369]], dtype=torch.float64)
    torch.testing.assert_close(peaks.scores, scores, atol=5e-5, rtol=0)
    predicted = torch.tensor([[0.5808, 0.5917, 0.4687], [0.7481, 0.5693, 0.5076]], dtype=torch.float64)
    torch.testing.assert_close(logits.mean(dim=(2, 3)), predicted, atol=5e-5, rtol=0)
    pseudo = topk_peak_mask(maps, peaks.mask, counts, limit=4).nonzero().tolist()
    assert pseudo == [[0, 0, 1, 0], [0, 0, 5, 2], [1, 1, 5, 0], [1, 2, 2, 2], [1, 2, 5, 0], [1, 2, 5, 3]]


def test_golden_stage_1():
    terms = terms_of(*golden(), stage=1)
    assert set(terms) == {'cls', 'count', 'rank'}
    assert float(terms['cls']) == pytest.approx(0.65909, abs=1e-5)
    assert float(terms['count']) == pytest.approx(2.80391, abs=1e-5)
    total = terms['cls'] + terms['count'] + 0.1 * terms['rank']
    assert float(total) == pytest.approx(3.916129, abs=1e-5)
    assert float(0.1 * terms['rank']) == pytest.approx(0.45313, abs=1e-5)


def test_golden_stage_2():
    terms = terms_of(*golden(), stage=2)
    expected = {'cls': 0.65909, 'rank': 4.5313, 'count': 1.86431, 'spatial_pos': 0.89921, 'spatial_neg': 1.28935}
    for name, value in expected.items():
        assert float(terms[name]) == pytest.approx(value, abs=2e-5), name
    total = sum(terms.values()) - 0.9 * terms['rank']
    assert float(total) == pytest.approx(5.165094, abs=1e-5)


def test_golden_shipped_limit_zero_is_refused():
    """The released default of limit 0 silently drops terms; here it is an error."""
    maps, logits, counts = golden()
    with pytest.raises(ValueError, match='limit must be at least 1, got 0'):
        lower_count_losses(maps[:, :, 0, 0], logits, maps > 0, counts, limit=0)


def written_out(scores, logits, pseudo, counts, limit, stage, reduction, negatives):
    """The formulas with loops."""
    images, classes = counts.shape
    softplus = lambda x: math.log1p(math.exp(-abs(x))) + max(x, 0.0)  # noqa: E731
    cls = [
        softplus(-float(scores[n, c])) if counts[n, c] > 0 else softplus(float(scores[n, c]))
        for n in range(images)
        for c in range(classes)
    ]
    per_image = {name: [] for name in ('spatial_pos', 'spatial_neg', 'count', 'rank')}
    for n in range(images):
        found = {name: [] for name in per_image}
        for c in range(classes):
            t, predicted = int(counts[n, c]), float(logits[n, c].mean())
            if 1 <= t <= limit:
                cells = [softplus(-float(y)) for y in logits[n, c][pseudo[n, c]]]
                if cells:
                    found['spatial_pos'].append(cells)
                found['count'].append((predicted - t) ** 2)
            elif t > limit:
                found['rank'].append(max(0.0, limit + 1 - predicted))
            elif negatives[n, c]:
                found['spatial_neg'].append([softplus(float(y)) for y in logits[n, c].flatten()])
                if stage == 2:
                    found['count'].append((predicted - t) ** 2)
        for name, values in found.items():
            per_image[name].append(values)

    def mean(values):
        return sum(values) / len(values) if values else 0.0

    def flat(lists):
        return [x for one in lists for x in (one if isinstance(one, list) else [one])]

    out = {'cls': mean(cls)}
    for name, images_values in per_image.items():
        if reduction == 'batch':
            out[name] = mean(flat([v for one in images_values for v in one]))
        elif name == 'spatial_pos':
            out[name] = mean([mean([mean(cells) for cells in one]) for one in images_values])
        else:
            out[name] = mean([mean(flat(one)) for one in images_values])
    return out


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    stage=st.sampled_from([1, 2]),
    reduction=st.sampled_from(['batch', 'image']),
    limit=st.integers(1, 5),
)
def test_equals_the_formulas(seed, stage, reduction, limit):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64) * 3
    maps = torch.randn(3, 4, 5, 6, generator=generator, dtype=torch.float64)
    counts = torch.randint(0, 8, (3, 4), generator=generator)
    negatives = torch.rand(3, 4, generator=generator) < 0.6
    peaks = peak_stimulation(maps)
    pseudo = topk_peak_mask(maps, peaks.mask, counts, limit=limit)
    terms = lower_count_losses(peaks.scores, logits, pseudo, counts, limit, stage, reduction, negatives)
    expected = written_out(peaks.scores, logits, pseudo, counts, limit, stage, reduction, negatives)
    for name, value in terms.items():
        assert float(value) == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize('stage', [1, 2])
def test_gradients_equal_those_of_the_pooled_formulas(stage):
    maps, logits, counts = golden()
    maps.requires_grad_()
    logits.requires_grad_()
    terms = terms_of(maps, logits, counts, stage=stage)
    (sum(terms.values()) - 0.9 * terms['rank']).backward()
    # The same from indexing, as the formulas read.
    other = logits.detach().clone().requires_grad_()
    predicted = other.mean(dim=(2, 3))
    exact, empty, above = (counts >= 1) & (counts <= 4), counts == 0, counts > 4
    pseudo = topk_peak_mask(maps.detach(), peak_stimulation(maps.detach()).mask, counts, limit=4)
    loss = 0.1 * F.relu(5 - predicted[above]).mean()
    if stage == 1:
        loss = loss + F.mse_loss(predicted[exact], counts[exact].double())
    else:
        pairs = exact | empty
        loss = loss + F.mse_loss(predicted[pairs], counts[pairs].double())
        loss = loss + F.softplus(-other[pseudo & exact[..., None, None]]).mean() + F.softplus(other[empty]).mean()
    loss.backward()
    torch.testing.assert_close(logits.grad, other.grad)
    # A class score passes 1 to each of its peaks, whatever their number.
    scores = peak_stimulation(maps.detach()).scores.requires_grad_()
    F.multilabel_soft_margin_loss(scores, (counts > 0).double()).backward()
    mask = peak_stimulation(maps.detach()).mask
    torch.testing.assert_close(maps.grad, mask * scores.grad[..., None, None])


@pytest.mark.parametrize('reduction', ['batch', 'image'])
@pytest.mark.parametrize('stage', [1, 2])
@pytest.mark.parametrize('value', [0, 9])
def test_batches_without_exact_counts_are_finite(value, stage, reduction):
    maps, logits, _ = golden()
    logits.requires_grad_()
    counts = torch.full((2, 3), value)
    terms = terms_of(maps, logits, counts, stage=stage, reduction=reduction)
    total = sum(terms.values())
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(logits.grad).all()
    if value == 9:
        assert float(terms['count']) == 0


def test_everything_above_the_limit_is_the_same():
    maps, logits, counts = golden()
    more = counts.clone()
    more[0, 2] = 5
    assert terms_of(maps, logits, counts) == terms_of(maps, logits, more)


def test_limit_moves_pairs_between_count_and_rank():
    maps, logits, counts = golden()
    high = terms_of(maps, logits, counts, limit=7)
    assert float(high['rank']) == 0
    assert float(terms_of(maps, logits, counts, limit=4)['rank']) > 0


def test_processes_share_their_denominators():
    """The mean over two processes' losses is the loss of the whole batch, because numbers of terms are averaged."""
    maps, logits, counts = golden()
    whole = terms_of(maps, logits, counts)
    parts = []
    numbers = [[], []]
    for rank in (0, 1):
        part = slice(rank, rank + 1)
        terms_of(maps[part], logits[part], counts[part], reduce=lambda x, r=rank: numbers[r].append(x) or x)
    shared = iter(zip(*numbers, strict=True))
    means = [sum(pair) / 2 for pair in shared]
    for rank in (0, 1):
        part, left = slice(rank, rank + 1), iter(means)
        parts.append(terms_of(maps[part], logits[part], counts[part], reduce=lambda x, left=left: next(left)))
    for name in whole:
        torch.testing.assert_close((parts[0][name] + parts[1][name]) / 2, whole[name])


def test_sample_negatives():
    counts = torch.zeros(1000, 3)
    counts[:400, 0] = 2
    counts[:200, 1] = 1
    kept = sample_negatives(counts, generator=torch.Generator().manual_seed(0))
    assert kept[400:, 0].all()
    assert not kept[:400, 0].any()
    assert 0.06 < float(kept[200:, 1].float().mean()) < 0.14
    assert 0.07 < float(kept[:, 2].float().mean()) < 0.13


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(stage=3), 'stage must be 1 or 2, got 3'),
        (dict(reduction='mean'), 'reduction must be one of'),
        (dict(counts=torch.zeros(2, 2)), r'must be \(2, 3\)'),
        (dict(pseudo_gt=torch.zeros(2, 3, 5, 5, dtype=torch.bool)), r'must be \(N, C, H, W\)'),
    ],
)
def test_bad_input(change, message):
    maps, logits, counts = golden()
    arguments = dict(class_scores=maps[:, :, 0, 0], density_logits=logits, pseudo_gt=maps > 0, counts=counts)
    with pytest.raises(ValueError, match=message):
        lower_count_losses(**{**arguments, **change})
