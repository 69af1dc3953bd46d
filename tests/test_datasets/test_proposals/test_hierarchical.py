"""Proposals that are computed: groups of segments, their ranking, their recall."""

import numpy as np
import pytest

from mmcount.datasets import MNISTLego
from mmcount.datasets.proposals import HierarchicalProposals
from mmcount.datasets.proposals.regions import Region, cut_regions, distinct, image_features, merge_regions, neighbours

pytest.importorskip('skimage', reason='graph segments are made by scikit-image')


def best_overlaps(proposals, masks):
    a, b = (np.stack(one).reshape(len(one), -1).astype(np.float32) for one in (masks, proposals))
    common = a @ b.T
    return (common / (a.sum(axis=1)[:, None] + b.sum(axis=1) - common)).max(axis=1)


def test_neighbours_within_reach():
    labels = np.array([[0, -1, 1], [0, -1, -1], [-1, -1, 2]])
    assert neighbours(labels).tolist() == []
    assert neighbours(labels, reach=2).tolist() == [[0, 1], [1, 2]]


def test_the_most_similar_neighbours_merge_first():
    image = np.full((20, 30, 3), 40, np.uint8)
    image[:, 10:20], image[:, 20:] = (200, 30, 30), (205, 30, 30)
    labels = np.repeat([[0, 1, 2]], 20, axis=0).repeat(10, axis=1)
    members = merge_regions(labels, image_features(image))
    assert members.astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 1, 1]]
    regions = cut_regions(labels, members, (1, 500))
    assert [region.area for region in regions] == [200, 200, 200, 400]
    assert np.array_equal(regions[3].mask((20, 30)), labels > 0)


def test_nothing_to_merge():
    features = image_features(np.zeros((8, 8, 3), np.uint8))
    assert merge_regions(np.full((8, 8), -1), features).shape == (0, 0)
    assert merge_regions(np.zeros((8, 8), np.int64), features).tolist() == [[True]]


def test_near_doubles_are_dropped():
    regions = [Region(0, 0, np.ones((10, width), bool), 10 * width) for width in (10, 9, 4)]
    assert regions[0].iou(regions[1]) == pytest.approx(0.9)
    kept, scores = distinct(regions, np.array([0.1, 0.3, 0.2]), 0.8, 5)
    assert [region.area for region in kept] == [90, 40]
    assert scores.tolist() == [0.3, 0.2]
    assert len(distinct(regions, np.ones(3), 1.0, 2)[0]) == 2


def test_the_same_pixels_give_the_same_proposals():
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    first, second = (HierarchicalProposals()(dict(img=image)) for _ in range(2))
    assert np.array_equal(first.masks, second.masks)
    assert np.array_equal(first.scores, second.scores)
    assert (np.diff(first.scores) <= 0).all()
    limited = HierarchicalProposals()(dict(img=image), limit=3)
    assert np.array_equal(limited.masks, first.masks[:3])


@pytest.mark.parametrize('shape', [(1, 1), (3, 200), (16, 16), (400, 300)])
def test_any_image_works(shape):
    found = HierarchicalProposals(max_proposals=7)(dict(img=np.zeros((*shape, 3), np.uint8)))
    assert found.masks.shape[1:] == shape
    assert len(found.masks) == len(found.scores) <= 7


def test_large_images_come_back_at_their_size():
    image = np.zeros((700, 500, 3), np.uint8)
    image[100:300, 200:400] = (10, 200, 250)
    found = HierarchicalProposals()(dict(img=image))
    assert found.masks.shape[1:] == (700, 500)
    assert best_overlaps(found.masks[:1], [image[..., 1] > 0])[0] > 0.97


@pytest.mark.parametrize(
    ('scene', 'least'),
    [
        (dict(layout='single', class_mode='mixed', num_objects=6, background='black'), 0.85),
        (dict(layout='single', class_mode='mixed', num_objects=6, background='photo'), 0.6),
    ],
)
def test_single_digits_are_proposed(scene, least):
    dataset = MNISTLego(subset='val', num_samples=3, with_mask=True, scene=scene)
    source = HierarchicalProposals(max_proposals=100)
    overlaps = [best_overlaps(source(info).masks, info['masks']) for info in map(dataset.get_data_info, range(3))]
    assert np.concatenate(overlaps).mean() > least


def test_levels_alone_need_no_scikit_image(monkeypatch):
    image = np.zeros((40, 40, 3), np.uint8)
    image[5:15, 5:15] = 255
    monkeypatch.setitem(__import__('sys').modules, 'skimage.segmentation', None)
    found = HierarchicalProposals(scales=())(dict(img=image))
    assert np.array_equal(found.masks[0], image[..., 0] > 0)
    with pytest.raises(ImportError, match=r'needs scikit-image.*pip install scikit-image'):
        HierarchicalProposals()(dict(img=image))


@pytest.mark.parametrize(
    'wrong',
    [dict(scales=(), levels=0), dict(scales=(-1,)), dict(max_side=2), dict(area_range=(0.5, 0.1)), dict(overlap=0)],
)
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match='must'):
        HierarchicalProposals(**wrong)
