"""Distribution matching: the numbers of the published functions, mass of the plan, empty maps, gradients."""

import pytest
import torch

from mmcount.models.losses import distribution_matching_losses, sinkhorn

A = dict(mu=[[0.5, 1], [0.25, 0.75]], points=[(3, 4), (13, 10)], dots=[[1, 0], [0, 1]])
B = dict(
    mu=[[0.2, 0, 0.4], [0.6, 0.1, 0.3], [0, 0.5, 0.9]],
    points=[(5, 6), (17, 20)],
    dots=[[1, 0, 0], [0, 0, 0], [0, 0, 1]],
)
C = dict(mu=A['mu'], points=[(3, 4), (13, 10), (12, 12)], dots=[[1, 0], [0, 2]])
NOTHING = dict(mu=[[0.1, 0.2], [0.3, 0.4]], points=[], dots=[[0, 0], [0, 0]])


def inputs_of(case, dtype=torch.float32):
    mu = torch.tensor(case['mu'], dtype=dtype, requires_grad=True)
    points = torch.tensor(case['points'], dtype=dtype).reshape(-1, 2)
    rows, columns = (torch.arange(side, dtype=dtype) * 8 + 4 for side in mu.shape)
    centres = torch.stack(torch.meshgrid(columns, rows, indexing='xy'), dim=2).reshape(-1, 2)
    return mu, points, torch.tensor(case['dots'], dtype=dtype), centres


def gradient(case, key):
    inputs = inputs_of(case)
    losses = distribution_matching_losses(*inputs)
    return torch.autograd.grad(losses[key], inputs[0])[0].flatten()


def transport_of(case):
    mu, points, _, centres = inputs_of(case)
    mu = mu.detach().flatten()
    cost = (points[:, None] - centres).square().sum(2)
    source = torch.full((len(points),), 1 / len(points))
    return cost, mu / (mu.sum() + 1e-6), sinkhorn(cost, source, mu / (mu.sum() + 1e-6))


def close(found, expected, rtol=1e-4):
    torch.testing.assert_close(found, torch.tensor(expected), rtol=rtol, atol=0)


def test_published_transport_of_two_points():
    cost, share, (alpha, beta, plan, iterations) = transport_of(A)
    assert cost.tolist() == [[1, 81, 65, 145], [117, 37, 85, 5]]
    assert iterations == 30
    close(beta, [-33.5815, 46.4258, 23.4705, 18.4870])
    close(alpha, [18.4871, -25.5274])
    close(plan[0], [0.2, 0.200145, 0.0998344, 2.03467e-5])
    assert (cost * plan).sum().item() == pytest.approx(31.8126, rel=1e-4)
    assert (share * beta).sum().item() == pytest.approx(19.7471, rel=1e-4)


def test_published_transport_with_empty_cells():
    cost, _, (_, beta, plan, iterations) = transport_of(B)
    assert iterations == 100
    close(
        beta,
        [-116.693, -368.414, 114.238, -73.7071, -43.6247, 137.811, -368.414, 102.918, 93.3311],
    )
    assert (cost * plan).sum().item() == pytest.approx(68.0246, rel=1e-4)


@pytest.mark.parametrize(
    ('case', 'expected'),
    [
        (A, [-21.3315, 10.6714, 1.48933, -0.504066]),
        (B, [-55.6278, -139.535, 21.3494, -41.2991, -31.2716, 29.2069, -139.535, 17.5761, 14.3803]),
        (C, [-14.8834, 11.8025, 7.06843, -8.17060]),
        (NOTHING, [0.0, 0.0, 0.0, 0.0]),
    ],
    ids=['A', 'B', 'C', 'nothing'],
)
def test_published_gradient_of_transport(case, expected):
    close(gradient(case, 'ot'), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ('case', 'count', 'tv'), [(A, 0.5, 2.0), (B, 1.0, 2.53333), (NOTHING, 1.0, 0.0)], ids=['A', 'B', 'nothing']
)
def test_published_terms(case, count, tv):
    losses = distribution_matching_losses(*inputs_of(case))
    assert losses['count'].item() == pytest.approx(count, rel=1e-4)
    assert losses['tv'].item() == pytest.approx(tv, rel=1e-4)


def test_published_terms_of_a_batch_are_means():
    losses = [distribution_matching_losses(*inputs_of(case)) for case in (C, NOTHING)]
    assert sum(one['count'].item() for one in losses) / 2 == pytest.approx(0.75, rel=1e-4)
    assert sum(one['tv'].item() for one in losses) / 2 == pytest.approx(1.5, rel=1e-4)
    assert [gradient(case, 'count').tolist() for case in (C, NOTHING)] == [[-1.0] * 4, [1.0] * 4]


def test_published_gradients_of_total_variation():
    close(gradient(A, 'tv'), [-0.8, 0.8, 0.8, -0.8])
    close(gradient(B, 'tv')[:3], [-0.844444, -0.177778, 0.488889])


def test_published_gradient_of_all_terms():
    total = gradient(A, 'count') + 0.1 * gradient(A, 'ot') + 0.01 * gradient(A, 'tv')
    close(total, [-1.14115, 2.07514, 1.15693, 0.941593], rtol=1e-3)


def test_terms_but_the_transport_agree_with_differences():
    inputs = inputs_of(B, torch.float64)
    mu = (inputs[0].detach() + 0.013).requires_grad_()  # off the corners of absolute values

    def total(density):
        losses = distribution_matching_losses(density, *inputs[1:])
        return losses['count'] + losses['tv']

    assert torch.autograd.gradcheck(total, mu)


def test_gradient_is_that_of_the_transport_cost():
    """With potentials that converged, g is the derivative of the regularised cost by the density."""
    mu, points, dots, centres = inputs_of(A, torch.float64)
    options = dict(reg=100.0, max_iters=2000)
    found = torch.autograd.grad(distribution_matching_losses(mu, points, dots, centres, **options)['ot'], mu)[0]

    def cost_of(density):
        cost = (points[:, None] - centres).square().sum(2)
        share = density.flatten() / density.sum()
        _, _, plan, _ = sinkhorn(cost, torch.full((2,), 0.5).double(), share, 100.0, 2000, tolerance=0.0)
        return float((cost * plan + 100.0 * plan * (plan.clamp(min=1e-300).log() - 1)).sum())

    step, numeric = 1e-5, torch.zeros(4, dtype=torch.float64)
    for cell in range(4):
        change = torch.zeros(4, dtype=torch.float64)
        change[cell] = step
        change = change.view(2, 2)
        numeric[cell] = (cost_of(mu.detach() + change) - cost_of(mu.detach() - change)) / (2 * step)
    torch.testing.assert_close(found.flatten(), numeric, rtol=1e-3, atol=1e-3)


def test_cells_beyond_every_point_are_saturated():
    """What float32 makes of a kernel of 10 px^2: published counters were trained with it."""
    mu = torch.ones(1, 16)
    centres = torch.stack([torch.arange(16.0) * 8 + 4, torch.full((16,), 4.0)], dim=1)
    cost = (torch.tensor([[4.0, 4.0]])[:, None] - centres).square().sum(2)
    transport = sinkhorn(cost, torch.ones(1), mu.flatten() / 16)
    assert transport.plan.sum() < 0.5
    torch.testing.assert_close(transport.beta[8:], torch.full((8,), 10 * float(torch.tensor(1 / 16 / 1e-16).log())))


def test_a_step_that_overflows_is_not_taken():
    cost, target = torch.tensor([[0.0, 1200.0]]), torch.tensor([0.5, 0.5])
    assert torch.exp(-cost / 10)[0, 1] == 0
    transport = sinkhorn(cost, torch.ones(1), target, eps=0.0)
    assert transport.iterations == 0
    assert all(torch.isfinite(one).all() for one in transport[:3])
    assert sinkhorn(cost, torch.ones(1), target).iterations > 0


def test_an_empty_map_has_bounded_gradients():
    case = dict(A, mu=[[0.0, 0.0], [0.0, 0.0]])
    assert gradient(case, 'ot').tolist() == [0.0] * 4
    tv = gradient(case, 'tv')
    assert torch.isfinite(tv).all()
    assert tv.abs().max() <= 2 / 0.1 + 1e-3


def test_dots_of_other_objects_or_another_shape_are_refused():
    mu, points, dots, centres = inputs_of(A)
    with pytest.raises(ValueError, match=r'holds 2 objects and there are 1 points'):
        distribution_matching_losses(mu, points[:1], dots, centres)
    with pytest.raises(ValueError, match=r'density of \(2, 2\) needs dots of this shape, got \(1, 2\)'):
        distribution_matching_losses(mu, points, dots[:1], centres)
