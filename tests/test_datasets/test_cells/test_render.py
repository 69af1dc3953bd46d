import numpy as np
import pytest

from mmcount.datasets.cells import CellOptions
from mmcount.datasets.cells.layout import draw_layout
from mmcount.datasets.cells.render import draw_cells


def draw(cells, shape=(128, 128), overlap='add', profile=(1.0, 0.0), planes=None, edge=0.1):
    planes = np.zeros(len(cells), dtype=int) if planes is None else planes
    return draw_cells(cells, np.ones(len(cells)), edge, profile, planes, planes.max(initial=0) + 1, overlap, shape, 30)


def cells(**options):
    options = dict(canvas=(128, 128), radius=8, coverage=0.3, empty_prob=0) | options
    return draw_layout(CellOptions(**options), np.random.default_rng(3))


def test_light_of_a_cell_has_its_centroid_at_the_annotated_point():
    for seed in range(5):
        found = draw_layout(
            CellOptions(canvas=(64, 64), radius=9, coverage=0.05, roughness=0.2, empty_prob=0, elongation=1.7),
            np.random.default_rng(seed),
        )
        for index in np.flatnonzero(found.inside):
            alone = type(found)(found.radius, *(getattr(found, name)[[index]] for name in list(vars(found))[1:]))
            image = draw(alone, (64, 64))[0].astype(float)
            rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] - 30
            centroid = [(image * columns).sum() / image.sum(), (image * rows).sum() / image.sum()]
            np.testing.assert_allclose(centroid, alone.centres[0], atol=0.15)


def test_light_of_a_flat_cell_is_its_area():
    found = cells(roughness=0, coverage=0.4)
    image = draw(found, edge=0.02)
    reached = (found.centres > -20).all(axis=1) & (found.centres < 147).all(axis=1)
    assert image.sum() == pytest.approx((np.pi * found.radii[reached] ** 2).sum(), rel=0.06)


def test_overlap_adds_takes_the_maximum_or_covers():
    found = cells(coverage=1.5, min_distance=0)
    assert draw(found, overlap='add').max() > 1.9
    assert draw(found, overlap='maximum').max() == pytest.approx(1)
    assert draw(found, overlap='cover').max() <= 1 + 1e-6


def test_profiles_are_bright_in_the_middle_or_along_the_outline():
    found = cells(coverage=0.05, min_distance=2, cluster_prob=0)
    index = np.flatnonzero(found.inside)[0]
    x, y = np.rint(found.centres[index]).astype(int) + 30
    assert draw(found, profile=(1.0, -0.7))[0, y, x] > 0.9
    assert draw(found, profile=(0.4, 0.6))[0, y, x] < 0.5


def test_cells_go_to_their_planes():
    found = cells()
    planes = np.arange(len(found)) % 3
    image = draw(found, planes=planes)
    assert image.shape == (3, 188, 188)
    np.testing.assert_allclose(image.sum(axis=0), draw(found)[0], atol=1e-4)
