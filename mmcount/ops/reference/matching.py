"""Point matching with SciPy: a KD-tree for the edges, plain augmenting paths or SciPy's assignment on top."""

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree
from torch import Tensor


def edges_within(pred: np.ndarray, gt: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs with ``sqrt(dx^2 + dy^2) <= radius`` in float64.

    Returns:
        Prediction index, ground-truth index and distance of each edge, ground truths ascending, then predictions.
    """
    if not len(pred) or not len(gt):
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    # The tree compares squares; ask for slightly more and decide here.
    slack = 1e-9 * (radius + np.abs(gt).max(axis=1)) + np.finfo(np.float64).tiny
    near = cKDTree(pred).query_ball_point(gt, radius + slack, return_sorted=True)
    gt_ids = np.repeat(np.arange(len(gt)), [len(ids) for ids in near])
    pred_ids = np.concatenate([np.asarray(ids, np.int64) for ids in near])
    dx, dy = (pred[pred_ids] - gt[gt_ids]).T
    distance = np.sqrt(dx * dx + dy * dy)
    keep = distance <= radius[gt_ids]
    return pred_ids[keep], gt_ids[keep], distance[keep]


def match_cardinality(pred_ids: np.ndarray, gt_ids: np.ndarray, num_pred: int, num_gt: int) -> np.ndarray:
    """Prediction of each ground truth, or -1: depth-first augmenting paths, predictions in order, ground truths too."""
    order = np.lexsort((gt_ids, pred_ids))
    targets = gt_ids[order].tolist()
    begin = np.searchsorted(pred_ids[order], np.arange(num_pred + 1)).tolist()
    pred_of = [-1] * num_gt
    dead: set[int] = set()  # visited by a failed search: nothing free can ever be reached from there
    for root in range(num_pred):
        visited: set[int] = set()
        path = [root]
        untried = [iter(targets[begin[root] : begin[root + 1]])]
        chosen: list[int] = []
        while path:
            gt = next((g for g in untried[-1] if g not in visited and g not in dead), None)
            if gt is None:
                path.pop()
                untried.pop()
                if chosen:
                    chosen.pop()
                continue
            visited.add(gt)
            chosen.append(gt)
            if pred_of[gt] < 0:
                for pred, target in zip(path, chosen, strict=True):
                    pred_of[target] = pred
                break
            path.append(pred_of[gt])
            untried.append(iter(targets[begin[path[-1]] : begin[path[-1] + 1]]))
        else:
            dead |= visited
    return np.asarray(pred_of, np.int64)


def match_cost(
    pred_ids: np.ndarray, gt_ids: np.ndarray, distance: np.ndarray, num_pred: int, num_gt: int
) -> np.ndarray:
    """Prediction of each ground truth, or -1: least total distance among the matchings of maximum cardinality."""
    if not len(distance):
        return np.full(num_gt, -1, np.int64)
    # A private dummy per ground truth makes every row assignable; SciPy takes a stored 0 for a missing edge, so all
    # weights move up by one.
    rows = np.concatenate((gt_ids, np.arange(num_gt)))
    columns = np.concatenate((pred_ids, num_pred + np.arange(num_gt)))
    longest = np.zeros(num_gt)
    np.maximum.at(longest, gt_ids, distance)
    dummy = 2 * longest.sum() + 1
    weights = np.concatenate((distance, np.full(num_gt, dummy))) + 1
    graph = csr_array((weights, (rows, columns)), shape=(num_gt, num_pred + num_gt))
    assigned = np.full(num_gt, -1, np.int64)
    matched_gt, matched_column = min_weight_full_bipartite_matching(graph)
    assigned[matched_gt] = matched_column
    return np.where(assigned < num_pred, assigned, -1)


def match_points(pred: Tensor, gt: Tensor, radius: Tensor, min_cost: bool) -> Tensor:
    """Reference of ``torch.ops.mmcount.match_points``.

    Args:
        pred: (N, 2) float64.
        gt: (M, 2) float64.
        radius: (M,) float64.
        min_cost: Whether to minimise the total distance.

    Returns:
        (K, 2) int64 pairs ``(prediction, ground truth)``, predictions ascending.
    """
    pred_xy, gt_xy, reach = (x.detach().cpu().numpy() for x in (pred, gt, radius))
    pred_ids, gt_ids, distance = edges_within(pred_xy, gt_xy, reach)
    if min_cost:
        pred_of = match_cost(pred_ids, gt_ids, distance, len(pred_xy), len(gt_xy))
    else:
        pred_of = match_cardinality(pred_ids, gt_ids, len(pred_xy), len(gt_xy))
    matched = np.flatnonzero(pred_of >= 0)
    pairs = np.column_stack((pred_of[matched], matched))
    return torch.from_numpy(pairs[np.argsort(pairs[:, 0])]).to(pred.device)
