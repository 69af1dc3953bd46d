"""Cases of ``match_points``: a 4K crowd where 85 % of the heads are found with 6 px of error and the rest are random.

Every peer is checked to find as many pairs as the op. ``dense + augmenting paths`` is our own write-up of the
published evaluation: a distance matrix and a depth-first search per prediction that resets its list of visited heads;
it runs at sizes where it ends. ``SciPy assignment`` does the same job as ``rule='cost'``.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from ops import Case
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from mmcount.ops import match_points

WIDTH, HEIGHT = 3840, 2160


class Scene(NamedTuple):
    """Points in px and one radius per ground truth."""

    pred: np.ndarray
    gt: np.ndarray
    radius: np.ndarray


def crowd(count: int, neighbours: float, rng: np.random.Generator) -> Scene:
    """As many predictions as ground truths; ``neighbours`` random predictions are expected within a radius."""
    gt = rng.random((count, 2)) * (WIDTH, HEIGHT)
    near = gt[rng.random(count) < 0.85]
    pred = np.concatenate((near + rng.normal(0, 6, near.shape), rng.random((count - len(near), 2)) * (WIDTH, HEIGHT)))
    rng.shuffle(pred)
    radius = rng.uniform(0.7, 1.3, count) * np.sqrt(neighbours * WIDTH * HEIGHT / count / np.pi)
    return Scene(pred, gt, radius)


def tree_edges(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Row pointer and prediction indices of the pairs within reach."""
    near = cKDTree(scene.pred).query_ball_point(scene.gt, scene.radius)
    begin = np.concatenate(([0], np.cumsum([len(ids) for ids in near])))
    return begin, np.fromiter((i for ids in near for i in ids), np.int32, begin[-1])


def tree_and_hopcroft_karp(scene: Scene) -> int:
    """KD-tree edges, then SciPy's sparse Hopcroft-Karp."""
    begin, columns = tree_edges(scene)
    graph = csr_array((np.ones(len(columns), np.uint8), columns, begin), shape=(len(scene.gt), len(scene.pred)))
    return int((maximum_bipartite_matching(graph, perm_type='column') >= 0).sum())


def tree_and_sparse_assignment(scene: Scene) -> int:
    """KD-tree edges, then SciPy's sparse assignment with one dummy per ground truth."""
    begin, columns = tree_edges(scene)
    rows = np.repeat(np.arange(len(scene.gt)), np.diff(begin))
    distance = np.linalg.norm(scene.pred[columns] - scene.gt[rows], axis=1)
    count, dummies = len(scene.pred), np.arange(len(scene.gt))
    weights = np.concatenate((distance, np.full(len(dummies), 2 * scene.radius.sum()))) + 1
    graph = csr_array(
        (weights, (np.concatenate((rows, dummies)), np.concatenate((columns, count + dummies)))),
        shape=(len(dummies), count + len(dummies)),
    )
    return int((min_weight_full_bipartite_matching(graph)[1] < count).sum())


def dense_assignment(scene: Scene) -> int:
    """Full distance matrix, then SciPy's dense assignment."""
    distance = cdist(scene.gt, scene.pred)
    allowed = distance <= scene.radius[:, None]
    rows, columns = linear_sum_assignment(np.where(allowed, distance, 1e6))
    return int(allowed[rows, columns].sum())


def dense_augmenting_paths(scene: Scene) -> int:
    """Full distance matrix, then one depth-first search per prediction."""
    allowed = (cdist(scene.gt, scene.pred) <= scene.radius[:, None]).T
    pred_of = [-1] * len(scene.gt)

    def augment(pred: int, visited: list[bool]) -> bool:
        for gt in np.flatnonzero(allowed[pred]).tolist():
            if visited[gt]:
                continue
            visited[gt] = True
            if pred_of[gt] < 0 or augment(pred_of[gt], visited):
                pred_of[gt] = pred
                return True
        return False

    return sum(augment(pred, [False] * len(scene.gt)) for pred in range(len(scene.pred)))


Peer = Callable[[Scene], int]


def case(name: str, scene: Scene, rule: str, peers: dict[str, Peer], target: dict[str, float]) -> Case:
    """Check the number of pairs of all peers, then make the case."""
    pred, gt, radius = (torch.from_numpy(x) for x in scene)
    pairs = len(match_points(pred, gt, radius, rule=rule))
    for peer, call in peers.items():
        if (found := call(scene)) != pairs:
            raise RuntimeError(f'{name}: {peer} found {found} pairs, match_points {pairs}')
    calls = {peer: (lambda call=call: call(scene)) for peer, call in peers.items()}
    return Case(name, lambda: match_points(pred, gt, radius, rule=rule), calls, target)


def cases() -> Iterator[Case]:
    """Cardinality, then least cost, small crowds first."""
    rng = np.random.default_rng(0)
    tree, dense = 'KD-tree + SciPy Hopcroft-Karp', 'dense + augmenting paths'
    for count, neighbours in ((1000, 0.8), (5000, 0.8), (10000, 0.8), (10000, 5.0), (20000, 0.8)):
        peers: dict[str, Peer] = {tree: tree_and_hopcroft_karp}
        target = {tree: 5.0}
        if count == 10000 and neighbours < 1:
            peers[dense] = dense_augmenting_paths
            target[dense] = 500.0
        scene = crowd(count, neighbours, rng)
        yield case(f'matching {count} points {neighbours:g} neighbours', scene, 'cardinality', peers, target)
    sparse = 'KD-tree + SciPy sparse assignment'
    for count, neighbours in ((1000, 0.8), (5000, 0.8), (10000, 0.8)):
        peers = {sparse: tree_and_sparse_assignment}
        if count == 1000:
            peers['SciPy assignment'] = dense_assignment
        scene = crowd(count, neighbours, rng)
        yield case(f'matching cost {count} points {neighbours:g} neighbours', scene, 'cost', peers, {sparse: 5.0})
