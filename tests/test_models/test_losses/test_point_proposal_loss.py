"""Matching and losses of point proposals: the numbers of the published functions, best assignments, gradients."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.models.losses import match_proposals, point_proposal_losses

# Batches of (logits, points, objects), logits (background, person).
A = [
    (
        [(0.2, 1), (0.5, -0.3), (-1, 0.4), (1.5, 0), (0, 0), (-0.7, 0.9)],
        [(2, 2), (6, 2), (2, 6), (6, 6), (10, 2), (14, 2)],
        [(5, 3), (12, 3)],
    )
]
B = [([(2, -2), (-2, 2), (0, 0)], [(4, 4), (14, 4), (40, 4)], [(4, 4)])]
C = [
    ([(0.1, 0.3), (0.6, -0.2), (0, 1)], [(2, 2), (6, 2), (2, 6)], [(6, 3), (2, 5)]),
    ([(0.5, 0.5), (1, -1), (-0.4, 0.2)], [(2.5, 2), (7, 1), (3, 6)], []),
]
D = [([(0, 1), (0, 0)], [(2, 2), (6, 6)], [(2, 2), (6, 6), (3, 3)])]


def tensors(batch):
    logits = [torch.tensor(one, dtype=torch.float32, requires_grad=True) for one, _, _ in batch]
    points = [torch.tensor(one, dtype=torch.float32, requires_grad=True) for _, one, _ in batch]
    objects = [torch.tensor(one, dtype=torch.float32).reshape(-1, 2) for _, _, one in batch]
    return points, logits, objects, [torch.zeros(len(one), dtype=torch.int64) for one in objects]


def matches(batch, **kwargs):
    points, logits, objects, labels = tensors(batch)
    pairs = []
    for mine, logit, truth, label in zip(points, logits, objects, labels, strict=True):
        found = match_proposals(mine, logit.softmax(1)[:, 1:], truth, label, **kwargs)
        pairs.append(dict(zip(*(one.tolist() for one in found), strict=True)))
    return pairs


@pytest.mark.parametrize(
    ('batch', 'options', 'pairs', 'cls', 'loc'),
    [
        (A, {}, [{2: 0, 5: 1}], 0.405675, 11.5),
        (A, dict(distance_weight=0.5), [{1: 0, 5: 1}], 0.799510, 3.5),
        (A, dict(background_weight=1.0), [{2: 0, 5: 1}], 0.473513, 11.5),
        (B, {}, [{1: 0}], 0.186899, 100.0),
        (C, {}, [{0: 0, 2: 1}, {}], 0.506433, 9.0),
        ([(*one[:2], []) for one in C], {}, [{}, {}], 0.723344, 0.0),
        (D, {}, [{0: 0, 1: 1}], 0.503204, 0.0),
    ],
    ids=['A', 'A-far-costs-more', 'A-equal-weights', 'B', 'C', 'no-objects', 'D-more-objects-than-proposals'],
)
def test_published_matches_and_losses(batch, options, pairs, cls, loc):
    matching = {key: value for key, value in options.items() if key == 'distance_weight'}
    assert matches(batch, **matching) == pairs
    losses = point_proposal_losses(*tensors(batch), **options)
    assert losses['cls'].item() == pytest.approx(cls, rel=1e-4)
    assert losses['loc'].item() == pytest.approx(loc, rel=1e-4)


@pytest.mark.parametrize(('batch', 'total'), [(A, 0.407975), (B, 0.206899), (C, 0.508233)], ids='ABC')
def test_published_total(batch, total):
    losses = point_proposal_losses(*tensors(batch))
    assert (losses['cls'] + 2e-4 * losses['loc']).item() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(
    ('batch', 'image', 'of_logits', 'of_points'),
    [
        (
            A,
            0,
            {0: (-0.0862468, 0.0862468), 2: (0.0494540, -0.0494540), 5: (0.0419954, -0.0419954)},
            {0: (0, 0), 2: (-3, 3), 5: (2, -1)},
        ),
        (B, 0, {}, {0: (0, 0), 1: (20, 0), 2: (0, 0)}),
        (C, 0, {0: (0.112541, -0.112541)}, {}),
        (C, 1, {0: (-0.0625, 0.0625)}, {0: (0, 0)}),
    ],
    ids=['A', 'B', 'C-image-0', 'C-image-1'],
)
def test_published_gradients(batch, image, of_logits, of_points):
    inputs = tensors(batch)
    losses = point_proposal_losses(*inputs)
    (losses['cls'] + losses['loc']).backward()
    points, logits = inputs[0][image].grad, inputs[1][image].grad
    for row, expected in of_logits.items():
        torch.testing.assert_close(logits[row], torch.tensor(expected), rtol=1e-4, atol=0)
    for row, expected in of_points.items():
        torch.testing.assert_close(points[row], torch.tensor(expected, dtype=torch.float32), rtol=1e-4, atol=0)


def test_published_costs_prefer_a_score_over_a_distance():
    points, logits, objects, _ = tensors(A)
    distances = (points[0][2] - objects[0]).norm(dim=1)
    costs = 0.05 * distances - logits[0].softmax(1)[2, 1]
    torch.testing.assert_close(costs, torch.tensor([-0.590052, -0.280169]), rtol=1e-4, atol=0)
    assert matches(B) == [{1: 0}]  # 10 px away, and sure


def test_gradients_agree_with_differences():
    inputs = tensors(C)
    points = [one.detach().double().requires_grad_() for one in inputs[0]]
    logits = [one.detach().double().requires_grad_() for one in inputs[1]]
    truth = [one.double() for one in inputs[2]]

    def total(*parts):
        losses = point_proposal_losses(parts[:2], parts[2:], truth, inputs[3])
        return losses['cls'] + losses['loc']

    assert torch.autograd.gradcheck(total, (*points, *logits))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(1, 5), st.integers(0, 10**6))
def test_no_other_assignment_is_cheaper(objects, proposals, seed):
    generator = torch.Generator().manual_seed(seed)
    points, truth = (torch.rand(n, 2, generator=generator) * 30 for n in (proposals, objects))
    scores = torch.rand(proposals, 2, generator=generator)
    labels = torch.randint(0, 2, (objects,), generator=generator)
    chosen, taken = match_proposals(points, scores, truth, labels)
    assert len(set(chosen.tolist())) == len(set(taken.tolist())) == len(chosen) == min(objects, proposals)
    cost = (0.05 * torch.cdist(points.double(), truth.double()) - scores[:, labels]).numpy()
    few, many = (cost, range(objects)) if proposals <= objects else (cost.T, range(proposals))
    cheapest = min(
        float(np.sum([few[row, column] for row, column in enumerate(order)]))
        for order in itertools.permutations(many, min(objects, proposals))
    )
    assert cost[chosen.numpy(), taken.numpy()].sum() == pytest.approx(cheapest, abs=1e-5)


def test_an_object_asks_for_the_score_of_its_class():
    points, truth = torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    scores = torch.tensor([[0.9, 0.0], [0.0, 0.9]])
    for label, proposal in ((0, 0), (1, 1)):
        found, _ = match_proposals(points, scores, truth, torch.tensor([label]))
        assert found.tolist() == [proposal]
    logits = torch.zeros(2, 3, requires_grad=True)
    point_proposal_losses([points], [logits], [truth], [torch.tensor([1])])['cls'].backward()
    assert logits.grad[0].argmin() == 2  # class 1 is at 2, the background at 0


def test_diverged_proposals_are_named():
    for points, scores in (([[float('nan'), 0.0]], [[0.5]]), ([[0.0, 0.0]], [[float('inf')]])):
        with pytest.raises(ValueError, match='not finite: the training diverged'):
            match_proposals(torch.tensor(points), torch.tensor(scores), torch.zeros(1, 2), torch.tensor([0]))


def test_objects_are_averaged_over_processes():
    losses = point_proposal_losses(*tensors(A), reduce=lambda number: number * 2)
    assert losses['loc'].item() == pytest.approx(11.5 / 2)
