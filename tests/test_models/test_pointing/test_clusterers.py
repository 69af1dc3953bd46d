import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.models.pointing import box_pointers, density_peak_clusters, suppress_mean
from mmcount.registry import TASK_UTILS

CLUSTERERS = [
    dict(type='mmcount.DensityPeakClusterer'),
    dict(type='mmcount.DensityPeakClusterer', choose='gap'),
    dict(type='mmcount.DensityPeakClusterer', remove_halo=True),
    dict(type='mmcount.ConnectedCellClusterer'),
    dict(type='mmcount.LocalMaximumClusterer'),
    dict(type='mmcount.MeanShiftClusterer'),
    dict(type='mmcount.DBSCANClusterer'),
]


def blobs(centres, shape=(14, 14), heights=None):
    ys, xs = np.mgrid[: shape[0], : shape[1]]
    heights = heights or [1.0] * len(centres)
    heat = sum(
        height * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 1.5) for (x, y), height in zip(centres, heights, strict=True)
    )
    return suppress_mean(heat)


@pytest.mark.parametrize('config', CLUSTERERS, ids=lambda one: '-'.join(map(str, one.values())))
def test_two_blobs_are_two_clusters_and_their_boxes_cover_them(config):
    centres = [(3, 4), (10, 9)]
    heat = blobs(centres)
    labels = TASK_UTILS.build(config)(heat)
    assert labels.max() == 1
    assert ((labels >= 0) <= (heat > 0)).all()
    assert labels[4, 3] != labels[9, 10]
    pointers = box_pointers(labels, heat, (1, 1))
    for x, y in centres:
        inside = (pointers.bboxes[:, :2] <= [x, y]).all(axis=1) & (pointers.bboxes[:, 2:] >= [x + 1, y + 1]).all(axis=1)
        assert inside.sum() == 1
    assert pointers.scores.sum() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize('config', CLUSTERERS, ids=lambda one: '-'.join(map(str, one.values())))
def test_nothing_is_no_cluster_and_one_cell_is_one(config):
    clusterer = TASK_UTILS.build(config)
    assert (clusterer(suppress_mean(np.full((5, 6), 3.0))) == -1).all()
    one = np.zeros((5, 6))
    one[2, 3] = 1
    labels = clusterer(one)
    assert labels[2, 3] == 0
    assert (labels >= 0).sum() == 1


@pytest.mark.parametrize('config', CLUSTERERS, ids=lambda one: '-'.join(map(str, one.values())))
def test_a_known_number_keeps_the_strongest(config):
    heat = blobs([(2, 2), (11, 3), (6, 11)], heights=[1.0, 0.5, 0.9])
    clusterer = TASK_UTILS.build(config)
    labels = clusterer(heat, 2)
    assert labels.max() == 1
    assert labels[2, 2] != labels[11, 6]
    assert clusterer(heat, 1).max() == 0
    assert clusterer(heat, 3).max() == 2
    with pytest.raises(ValueError, match='num_clusters must be at least 1, got 0'):
        clusterer(heat, 0)


@pytest.mark.parametrize('config', CLUSTERERS, ids=lambda one: '-'.join(map(str, one.values())))
@settings(deadline=None, derandomize=True, max_examples=6)
@given(seed=st.integers(0, 2**31), num_clusters=st.sampled_from([None, 1, 3, 8]))
def test_clusters_of_any_map_are_numbered_without_gaps(config, seed, num_clusters):
    rng = np.random.default_rng(seed)
    heat = rng.choice([0.0, 0.0, 0.2, 1.0], (4, 5))
    labels = TASK_UTILS.build(config)(heat, num_clusters)
    found = np.unique(labels[labels >= 0])
    assert found.tolist() == list(range(len(found)))
    assert num_clusters is None or len(found) <= num_clusters
    assert ((labels >= 0) <= (heat > 0)).all()
    assert len(box_pointers(labels, heat, (1, 1)).scores) == len(found)


def test_local_maxima_are_never_where_there_is_no_heat():
    heat = np.zeros((9, 9))
    heat[8, 8] = 1
    heat[8, 7] = 0.5
    labels = TASK_UTILS.build(dict(type='mmcount.LocalMaximumClusterer', radius=1))(heat, 3)
    assert labels[8, 7:].tolist() == [0, 0]


def test_members_follow_their_nearest_denser_neighbour():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 10, (40, 2))
    weights = rng.uniform(0.1, 1, 40)
    result = density_peak_clusters(points, weights, cutoff=1.0, min_distance=2.0)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    density = (np.exp(-(apart**2)) * weights[None]).sum(axis=1)
    assert result.density == pytest.approx(density)
    for index in range(40):
        denser = np.flatnonzero(density > density[index])
        if len(denser) == 0:
            assert index == result.centres[0]
            continue
        nearest = denser[apart[index, denser].argmin()]
        assert result.distance[index] == pytest.approx(apart[index, nearest])
        if index not in result.centres:
            assert result.labels[index] == result.labels[nearest]
    assert (result.distance[result.centres[1:]] >= 2.0).all()


def test_the_halo_is_dropped():
    points = np.array([[0, 0], [1, 0], [2, 0], [3, 0], [4, 0]], float)
    weights = np.array([5, 2, 0.5, 2, 5])
    kept = density_peak_clusters(points, weights, min_distance=2.5)
    bare = density_peak_clusters(points, weights, min_distance=2.5, remove_halo=True)
    assert (kept.labels >= 0).all()
    assert bare.labels[2] == -1
    assert bare.labels[0] >= 0
    assert bare.labels[4] >= 0


def test_centres_are_no_halo_even_where_clusters_touch():
    touching = density_peak_clusters([[0, 0], [1, 0]], [1, 1], num_clusters=2, remove_halo=True)
    assert touching.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(cutoff=0), 'cutoff must be positive'),
        (dict(choose='eye'), "choose must be 'threshold' or 'gap'"),
    ],
)
def test_options_are_checked_when_the_config_is_built(options, message):
    with pytest.raises(ValueError, match=message):
        TASK_UTILS.build(dict(type='mmcount.DensityPeakClusterer', **options))
    with pytest.raises(ValueError, match='heat must not be negative'):
        TASK_UTILS.build(dict(type='mmcount.DensityPeakClusterer'))([[-1.0]])
