"""``match_points``: against dense augmenting paths and SciPy's assignment; radii, order, empty sets, errors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from mmcount.ops import match_points
from mmcount.ops.reference import matching as reference


def dense_distances(pred, gt):
    return np.sqrt(((pred[None] - gt[:, None]) ** 2).sum(axis=-1))


def dense_augmenting_paths(allowed):
    """The protocol as published: predictions in order, ground truths ascending, depth first, from a dense matrix."""
    pred_of = [-1] * allowed.shape[0]

    def augment(pred, visited):
        for gt in np.flatnonzero(allowed[:, pred]):
            if gt not in visited:
                visited.add(gt)
                if pred_of[gt] < 0 or augment(pred_of[gt], visited):
                    pred_of[gt] = pred
                    return True
        return False

    for pred in range(allowed.shape[1]):
        augment(pred, set())
    return sorted([pred, gt] for gt, pred in enumerate(pred_of) if pred >= 0)


@st.composite
def scenes(draw):
    """Points anywhere, or on a small integer grid (ties, coincident points, distances equal to a radius)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    num_pred, num_gt = draw(st.integers(0, 40)), draw(st.integers(0, 40))
    side, reach = draw(st.sampled_from([4, 10, 40])), draw(st.sampled_from([1, 3, 8]))
    pred, gt, radius = rng.random((num_pred, 2)) * side, rng.random((num_gt, 2)) * side, rng.random(num_gt) * reach
    if draw(st.booleans()):
        pred, gt, radius = pred.round(), gt.round(), radius.round()
    return pred, gt, radius


@settings(deadline=None, derandomize=True, max_examples=50)
@given(scene=scenes())
def test_cardinality_follows_the_protocol_to_the_pair(scene):
    pred, gt, radius = scene
    expected = dense_augmenting_paths(dense_distances(pred, gt) <= radius[:, None])
    tensors = [torch.from_numpy(x) for x in scene]
    assert match_points(*tensors).tolist() == expected
    assert reference.match_points(*tensors, False).tolist() == expected


@settings(deadline=None, derandomize=True, max_examples=50)
@given(scene=scenes())
def test_cost_equals_a_dense_assignment(scene):
    pred, gt, radius = scene
    distance = dense_distances(pred, gt)
    allowed = distance <= radius[:, None]
    rows, columns = linear_sum_assignment(np.where(allowed, distance, 1e6))
    kept = allowed[rows, columns]
    tensors = [torch.from_numpy(x) for x in scene]
    for pairs in (match_points(*tensors, rule='cost'), reference.match_points(*tensors, True)):
        pred_ids, gt_ids = pairs.numpy().T
        assert len(pairs) == kept.sum() == len(set(pred_ids)) == len(set(gt_ids))
        assert allowed[gt_ids, pred_ids].all()
        assert np.all(np.diff(pred_ids) > 0)
        assert distance[gt_ids, pred_ids].sum() == pytest.approx(distance[rows, columns][kept].sum(), abs=1e-9)


@pytest.mark.parametrize('edges_per_point', [1.5, 5])
def test_crowds_reach_the_largest_matching(edges_per_point):
    rng = np.random.default_rng(7)
    gt = rng.random((3000, 2)) * 1000
    pred = np.concatenate((gt[:2500] + rng.normal(0, 4, (2500, 2)), rng.random((600, 2)) * 1000))
    radius = rng.uniform(0.5, 1.5, 3000) * np.sqrt(edges_per_point * 1e6 / 3000 / np.pi)
    tensors = [torch.from_numpy(x) for x in (pred, gt, radius)]
    pred_ids, gt_ids, _ = reference.edges_within(pred, gt, radius)
    graph = csr_array((np.ones(len(gt_ids)), (gt_ids, pred_ids)), shape=(len(gt), len(pred)))
    largest = int((maximum_bipartite_matching(graph, 'column') >= 0).sum())
    assert len(match_points(*tensors)) == len(match_points(*tensors, rule='cost')) == largest


def test_a_long_alternating_chain_needs_no_recursion():
    # Prediction i reaches ground truths i and i + 1; taking them backwards shifts the whole chain at the end.
    count = 5000
    gt = torch.stack((torch.arange(count, dtype=torch.float64) * 2, torch.zeros(count, dtype=torch.float64)), dim=1)
    pred = torch.cat((gt[:-1] + torch.tensor([1.0, 0.0]), gt[:1] - torch.tensor([1.0, 0.0])))
    for rule in ('cardinality', 'cost'):
        assert len(match_points(pred, gt, 1.0, rule=rule)) == count


def test_distance_equal_to_the_radius_matches():
    gt = torch.tensor([[0.0, 0.0]])
    assert match_points(torch.tensor([[3.0, 4.0]]), gt, 5.0).tolist() == [[0, 0]]
    assert match_points(torch.tensor([[3.0, 4.0]]), gt, 4.999999).tolist() == []
    # sqrt(0.2) squared is above 0.2 in float64, sqrt(0.3) squared below 0.3: squares would decide both by rounding.
    for square in (0.2, 0.3, 2.0, 3.0, 5.0):
        side = np.sqrt(square)
        assert len(match_points(torch.tensor([[side, 0.0]], dtype=torch.float64), gt, float(side))) == 1


def test_radius_zero_matches_coincident_points_only():
    pred = torch.tensor([[1.0, 1.0], [2.0, 2.0], [2.0, 2.0]])
    assert match_points(pred, torch.tensor([[2.0, 2.0], [1.0, 1.5]]), 0.0).tolist() == [[1, 0]]


def test_each_ground_truth_has_its_own_radius():
    pred, gt = torch.tensor([[0.0, 0.0], [10.0, 0.0]]), torch.tensor([[2.0, 0.0], [12.0, 0.0]])
    assert match_points(pred, gt, torch.tensor([1.0, 3.0])).tolist() == [[1, 1]]


def test_cost_takes_the_nearer_pairs_where_cardinality_need_not():
    pred, gt = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert match_points(pred, gt, 2.0, rule='cost').tolist() == [[0, 1], [1, 0]]


def test_cost_never_gives_up_a_pair_for_distance():
    # The nearest pair alone costs 0.1; both pairs need 3 + 3.
    pred, gt = torch.tensor([[0.0, 0.0], [3.1, 0.0]]), torch.tensor([[3.0, 0.0], [6.1, 0.0]])
    assert len(match_points(pred, gt, 3.05, rule='cost')) == 2


def test_far_coordinates_and_mixed_radii_find_their_pairs():
    rng = np.random.default_rng(3)
    gt = rng.random((200, 2)) * 50 + 1e6
    pred = gt + rng.normal(0, 0.5, gt.shape)
    radius = np.where(np.arange(200) % 20 == 0, 40.0, 0.3)
    expected = dense_augmenting_paths(dense_distances(pred, gt) <= radius[:, None])
    assert match_points(*(torch.from_numpy(x) for x in (pred, gt, radius))).tolist() == expected


@pytest.mark.parametrize('rule', ['cardinality', 'cost'])
@pytest.mark.parametrize(('num_pred', 'num_gt'), [(0, 0), (0, 3), (3, 0)])
def test_no_points_give_no_pairs(rule, num_pred, num_gt):
    pairs = match_points(torch.zeros(num_pred, 2), torch.zeros(num_gt, 2), 1.0, rule=rule)
    assert pairs.shape == (0, 2)
    assert pairs.dtype == torch.int64


def test_strides_and_dtypes_do_not_matter():
    pred = torch.tensor([[0, 5, 9], [0, 5, 9]]).T
    gt = torch.tensor([[9.0, 9.0, 7.0], [0.0, 0.0, 7.0]], dtype=torch.float16)[:, :2]
    assert match_points(pred, gt, torch.tensor([1, 1])).tolist() == [[0, 1], [2, 0]]


POINTS = torch.zeros(2, 2)


@pytest.mark.parametrize(
    ('pred', 'gt', 'radius', 'message'),
    [
        (torch.zeros(2), POINTS, 1.0, r'pred must have shape \(N, 2\)'),
        (POINTS, torch.zeros(2, 3), 1.0, r'gt must have shape \(N, 2\)'),
        (torch.tensor([[0.0, 0.0], [1.0, torch.nan]]), POINTS, 1.0, 'pred must be finite.*index 1'),
        (POINTS, torch.tensor([[torch.inf, 0.0]]), 1.0, 'gt must be finite.*index 0'),
        (POINTS, POINTS, -1.0, 'not negative'),
        (POINTS, POINTS, torch.tensor([1.0, torch.nan]), 'index 1'),
        (POINTS, POINTS, torch.ones(3), 'one per ground truth'),
        (POINTS, POINTS, torch.ones(2, 1), 'one per ground truth'),
    ],
)
def test_wrong_arguments_are_named(pred, gt, radius, message):
    with pytest.raises(ValueError, match=message):
        match_points(pred, gt, radius)


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="'cardinality' or 'cost'"):
        match_points(POINTS, POINTS, 1.0, rule='nearest')


@pytest.mark.parametrize('min_cost', [False, True])
def test_op_passes_opcheck(min_cost):
    points = torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.library.opcheck(
        torch.ops.mmcount.match_points.default,
        (points, points.flip(0).contiguous(), torch.full((6,), 0.3, dtype=torch.float64), min_cost),
        test_utils=('test_schema', 'test_faketensor', 'test_autograd_registration'),
    )
