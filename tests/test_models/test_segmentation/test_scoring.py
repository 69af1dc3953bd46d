"""Scores of mask proposals, resizing, suppression."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmcount.models.segmentation import (
    background_mask,
    density_in_masks,
    mask_contours,
    mask_iou,
    mask_nms,
    resize_masks,
    score_proposals,
)
from mmcount.models.segmentation.peak_segmentor import segment_peaks
from mmcount.models.segmentation.scoring import best_proposals

SIDE = 32


def box(top, left, bottom, right, side=SIDE):
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.fixture
def scene():
    """Two objects side by side; the response of the first spills over to the second, as it often does."""
    first, second = box(8, 4, 20, 14), box(8, 16, 20, 26)
    both = box(8, 4, 20, 26)
    masks = torch.stack([both, first, box(8, 4, 14, 14)])
    response = mask_contours(first[None])[0].float() + 0.2 * second.float()
    density = torch.zeros(1, 8, 8)
    density[0, 3, 2] = density[0, 3, 5] = 1.0
    maps = F.avg_pool2d((first | second).float()[None, None], 4)[0]
    return dict(
        responses=(response / response.sum())[None],
        labels=torch.tensor([0]),
        masks=masks,
        maps=maps,
        density_sums=density_in_masks(density, masks),
    )


def test_the_density_penalty_picks_the_proposal_of_one_object(scene):
    assert scene['density_sums'].tolist() == [[2.0, 1.0, 0.0]]
    without = score_proposals(**scene, gamma=0.0)
    with_penalty = score_proposals(**scene, gamma=0.2)
    assert int(best_proposals(without)[1]) == 0
    assert int(best_proposals(with_penalty)[1]) == 1
    torch.testing.assert_close(without - with_penalty, torch.tensor([[0.2, 0.0, 0.2]]))


def test_the_score_is_the_formula(scene):
    torch.manual_seed(0)
    responses = torch.rand(2, SIDE, SIDE)
    responses = responses / responses.sum(dim=(1, 2), keepdim=True)
    maps = torch.randn(2, 8, 8)
    labels, sums = torch.tensor([1, 0]), torch.tensor([[0.4, 1.5, 0.1], [2.0, 0.7, 3.0]])
    got = score_proposals(responses, labels, scene['masks'], maps, sums, alpha=0.7, beta=0.01, gamma=0.3)
    kernel = np.ones((5, 5), np.uint8)
    for k, label in enumerate(labels.tolist()):
        low = background_mask(maps[label], (SIDE, SIDE))
        for p, mask in enumerate(scene['masks']):
            rim = torch.from_numpy(cv2.morphologyEx(mask.numpy().astype(np.uint8), cv2.MORPH_GRADIENT, kernel) > 0)
            expected = 0.7 * responses[k][mask].sum() + responses[k][rim].sum()
            expected += -0.01 * low[mask].sum() - 0.3 * abs(1 - sums[label, p])
            assert float(got[k, p]) == pytest.approx(float(expected), abs=1e-5)


def test_weights_of_each_class(scene):
    scene = {**scene, 'maps': scene['maps'].repeat(2, 1, 1), 'density_sums': scene['density_sums'].repeat(2, 1)}
    scene['responses'], scene['labels'] = scene['responses'].repeat(2, 1, 1), torch.tensor([0, 1])
    scores = score_proposals(**scene, gamma=[0.0, 0.2], alpha=0.8)
    assert best_proposals(scores)[1].tolist() == [0, 1]
    with pytest.raises(ValueError, match='2 of them'):
        score_proposals(**scene, gamma=[0.0])


def test_too_large_and_too_small_proposals_are_skipped():
    side = 300
    masks = torch.stack(
        [box(0, 0, 300, 255, side), box(0, 0, 300, 254, side), box(0, 0, 1, 1, side), box(0, 0, 1, 2, side)]
    )
    scores = score_proposals(
        torch.full((1, side, side), 1 / side**2), torch.tensor([0]), masks, torch.rand(1, 4, 4), torch.zeros(1, 4)
    )
    assert scores.isfinite().tolist() == [[False, True, False, True]]  # 85 % and 0.002 % = 1.8 px


def test_a_peak_without_valid_proposal_yields_nothing():
    masks = torch.stack([box(0, 0, 4, 4), box(10, 10, 20, 20)])
    scores = torch.tensor([[-torch.inf, -torch.inf], [0.2, 0.4]])
    segments = segment_peaks(torch.rand(2, SIDE, SIDE), masks, scores)
    assert segments.peaks.tolist() == [1]
    assert segments.proposals.tolist() == [1]
    empty = segment_peaks(torch.rand(2, SIDE, SIDE), masks[:0], torch.zeros(2, 0))
    assert [len(one) for one in empty] == [0, 0, 0, 0]


def test_ties_go_to_the_first_proposal():
    assert best_proposals(torch.tensor([[0.1, 0.5, 0.5], [-torch.inf] * 3]))[1].tolist() == [1, 0]


@pytest.mark.parametrize(('old', 'new'), [((448, 448), (14, 14)), ((427, 640), (448, 448)), ((37, 51), (8, 10))])
def test_masks_are_resized_like_pillow_and_nearest_exact(old, new):
    masks = torch.from_numpy(np.random.default_rng(0).random((3, *old)) > 0.5)
    got = resize_masks(masks, new)
    pillow = [Image.fromarray(m.numpy().astype(np.uint8)).resize(new[::-1], Image.Resampling.NEAREST) for m in masks]
    expected = np.stack([np.asarray(one) for one in pillow]) > 0
    # Centres that lie between two pixels: Pillow adds up its steps and may round such a one down.
    rows, cols = (((2 * np.arange(n) + 1) * o) % (2 * n) != 0 for o, n in zip(old, new, strict=True))
    assert np.array_equal(got.numpy()[:, rows][:, :, cols], expected[:, rows][:, :, cols])
    exact = F.interpolate(masks.float()[None], size=new, mode='nearest-exact')[0] > 0
    assert (got == exact).float().mean() > 0.99  # torch rounds the scale to float32


def test_masks_on_a_grid_beyond_the_image():
    mask = box(0, 0, 4, 4, 4)[None]
    got = resize_masks(mask, (3, 3), extent=(-2.5, -2.5, 3.5, 3.5))
    assert got[0].int().tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_small_masks_vanish_or_count_by_area():
    density, mask = torch.full((1, 4, 4), 0.5), box(0, 0, 2, 2)[None]
    assert float(density_in_masks(density, mask)) == 0
    assert float(density_in_masks(density, mask, resize='area')) == pytest.approx(0.5 * 4 / 64)
    everything = box(0, 0, SIDE, SIDE)[None]
    for extent in (None, (-4.5, -4.5, 40.0, 36.5)):
        assert float(density_in_masks(density, everything, extent, 'area')) == pytest.approx(8.0, rel=1e-5)
    with pytest.raises(ValueError, match='resize must be'):
        density_in_masks(density, mask, resize='bilinear')


def test_the_background_is_the_low_part_of_the_map():
    ramp = torch.linspace(-3, 5, 8).repeat(8, 1)
    low = background_mask(ramp, (SIDE, SIDE))
    assert low[:, :12].all()
    assert not low[:, 20:].any()
    assert torch.equal(low, background_mask(ramp * 7 - 2, (SIDE, SIDE)))  # the stretch takes scale and shift away
    assert not background_mask(torch.ones(4, 4), (8, 8)).any()
    # a map that reaches beyond the image by half of its width
    wide = background_mask(ramp, (SIDE, SIDE), extent=(-0.5, -0.5, 2 * SIDE - 0.5, SIDE - 0.5))
    assert wide.float().mean() > low.float().mean()


def test_contours_are_the_morphological_gradient():
    masks = torch.from_numpy(np.random.default_rng(1).random((4, 40, 50)) > 0.97)
    masks = mask_contours(masks, 7)  # blobs
    kernel = np.ones((5, 5), np.uint8)
    expected = [cv2.morphologyEx(m.numpy().astype(np.uint8), cv2.MORPH_GRADIENT, kernel) > 0 for m in masks]
    assert np.array_equal(mask_contours(masks).numpy(), np.stack(expected))
    assert mask_contours(masks[:0]).shape == (0, 40, 50)


def test_suppression_knows_no_classes_and_reports_owners():
    masks = torch.stack([box(0, 0, 10, 10), box(0, 0, 10, 9), box(20, 20, 30, 30), box(0, 0, 10, 3)])
    keep, owner = mask_nms(masks, torch.tensor([0.5, 0.9, 0.1, 0.2]), 0.3)
    assert keep.tolist() == [1, 2]
    assert owner.tolist() == [0, 0, 1, 0]
    assert float(mask_iou(masks[1:2], masks[3:4])) == pytest.approx(1 / 3)
    keep, _ = mask_nms(masks, torch.tensor([0.5, 0.9, 0.1, 0.2]), 0.34)
    assert keep.tolist() == [1, 3, 2]


def test_an_overlap_at_the_threshold_suppresses():
    masks = torch.stack([box(0, 0, 1, 10), box(0, 0, 1, 3)])
    assert mask_nms(masks, torch.tensor([1.0, 0.5]), 0.3)[0].tolist() == [0]


def test_suppressed_responses_go_to_the_keeper():
    masks = torch.stack([box(0, 0, 10, 10), box(20, 20, 30, 30)])
    responses = torch.rand(3, SIDE, SIDE)
    segments = segment_peaks(responses, masks, torch.tensor([[0.3, 0.1], [0.9, 0.2], [0.1, 0.5]]))
    assert segments.peaks.tolist() == [1, 2]
    torch.testing.assert_close(segments.responses, torch.stack([responses[0] + responses[1], responses[2]]))
