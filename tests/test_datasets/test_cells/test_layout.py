import numpy as np
import pytest
from scipy.spatial import cKDTree

from mmcount.datasets.cells import CellOptions
from mmcount.datasets.cells.layout import draw_layout


def layout(seed=0, **options):
    return draw_layout(CellOptions(**options), np.random.default_rng(seed))


def outlines(cells, points=720):
    """Points (N, points, 2) on the outlines, computed from the formula of the class and not by its helpers."""
    t = np.linspace(0, 2 * np.pi, points, endpoint=False)
    distance = 1 + sum((cells.waves[:, [k]] * np.exp(1j * (k + 2) * t)).real for k in range(4))
    local = np.stack([distance * np.cos(t), distance * np.sin(t)], axis=2) - cells.shifts[:, None]
    local *= np.stack(cells.axes, axis=1)[:, None]
    cos, sin = np.cos(cells.angles)[:, None], np.sin(cells.angles)[:, None]
    x, y = cos * local[..., 0] - sin * local[..., 1], sin * local[..., 0] + cos * local[..., 1]
    return np.stack([x, y], axis=2) + cells.centres[:, None]


def test_the_number_of_cells_follows_coverage_and_size():
    cells = layout(canvas=(400, 300), radius=5, coverage=0.4, empty_prob=0, min_distance=0)
    assert cells.inside.sum() == pytest.approx(0.4 * 400 * 300 / (np.pi * 25), rel=0.1)


def test_the_density_has_an_upper_limit():
    cells = layout(canvas=(500, 500), radius=2, coverage=1, max_density=10, empty_prob=0, min_distance=0)
    assert cells.inside.sum() == pytest.approx(250, rel=0.15)


def test_an_empty_image_has_no_cell_and_arrays_of_the_right_shape():
    cells = layout(empty_prob=1)
    assert len(cells) == 0
    assert cells.centres.shape == (0, 2)
    assert cells.boxes.shape == (0, 4)


def test_centres_are_the_centroids_of_rough_outlines():
    cells = layout(radius=10, roughness=0.25, elongation=1.7, coverage=0.5, empty_prob=0)
    x, y = np.moveaxis(outlines(cells), 2, 0)
    cross = x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y  # shoelace formula
    area = cross.sum(axis=1) / 2
    centroid_x = ((x + np.roll(x, -1, axis=1)) * cross).sum(axis=1) / (6 * area)
    centroid_y = ((y + np.roll(y, -1, axis=1)) * cross).sum(axis=1) / (6 * area)
    assert np.abs(np.stack([centroid_x, centroid_y], axis=1) - cells.centres).max() < 0.02


def test_boxes_hold_the_outlines_tightly():
    cells = layout(radius=10, coverage=0.5, empty_prob=0)
    points = outlines(cells)
    expected = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1) + 0.5
    assert np.abs(cells.boxes - expected).max() < 0.3


def test_centres_are_pushed_apart_in_sparse_images():
    radius = 6
    cells = layout(
        canvas=(300, 300), radius=radius, radius_spread=0, coverage=0.15, cluster_prob=0, min_distance=2, empty_prob=0
    )
    nearest = cKDTree(cells.centres).query(cells.centres, k=2)[0][:, 1]
    assert nearest.min() > 1.6 * radius
    free = layout(
        canvas=(300, 300), radius=radius, radius_spread=0, coverage=0.15, cluster_prob=0, min_distance=0, empty_prob=0
    )
    assert cKDTree(free.centres).query(free.centres, k=2)[0][:, 1].min() < radius


def test_clusters_crowd_cells():
    def spacing(prob):
        options = dict(canvas=(400, 400), radius=5, coverage=0.1, min_distance=0, cluster_share=0.9, cluster_prob=prob)
        cells = layout(empty_prob=0, cluster_spread=0.6, **options)
        return np.median(cKDTree(cells.centres).query(cells.centres, k=2)[0][:, 1])

    assert spacing(1) < 0.6 * spacing(0)


def test_density_is_the_same_at_the_border_and_inside():
    centres = [layout(seed, radius=5, coverage=0.5, empty_prob=0) for seed in range(40)]
    points = np.concatenate([cells.centres[cells.inside] for cells in centres])
    border = (np.minimum(points, 255 - points) < 16).any(axis=1).mean()
    assert border == pytest.approx(1 - (224 / 256) ** 2, abs=0.03)
