"""AP_lc: the protocol's own examples, a loop over cells that says what is meant, and pycocotools."""

import contextlib
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmcount.evaluation.functional import (
    GRID_THRS,
    LOCOUNT_SUBSETS,
    DetectedBoxes,
    Subset,
    TrueBoxes,
    count_accuracy,
    locount_scores,
    match_counts,
    outside_masks,
    score_grid,
)

B = (0, 0, 200, 200)
NARROW = (0, 0, 160, 200)
A12, C12 = ((0, 0, 180, 200), 4), ((0, 0, 190, 200), 5)
D12 = [(B, 4, 0.9), ((0, 0, 180, 200), 2, 0.8)]
FIXTURES = [
    ('exact', [(B, 4)], [(B, 4)], (1, 1, 1, 1)),
    ('accuracy of 3/4', [(B, 4)], [(B, 3)], (0.6, 1, 1, 0.6)),
    ('accuracy of 1/2', [(B, 2)], [(B, 1)], (0.1, 1, 0, 0.1)),
    ('accuracy of 0', [(B, 1)], [(B, 2)], (0, 0, 0, 0)),
    ('accuracy of 8/9', [(B, 9)], [(B, 10)], (0.8, 1, 1, 0.8)),
    ('IoU of 4/5', [(B, 4)], [(NARROW, 4)], (0.7, 1, 1, 0.7)),
    ('a full grid, no diagonal', [(B, 4)], [(NARROW, 3)], (0.42, 1, 1, 0.42)),
    ('a wrong count takes nothing', [(B, 4)], [(B, 1, 0.9), (B, 4, 0.8)], (0.5, 0.5, 0.5, 1)),
    ('a second good one after all are found', [(B, 4)], [(B, 4, 0.9), (B, 4, 0.8)], (1, 1, 1, 1)),
    ('two counts in one place', [(B, 2), (B, 4)], [(B, 4, 0.9), (B, 2, 0.8)], (1, 1, 1, 1)),
    ('the highest IoU goes first', [A12, C12], D12, (0.5393, 1, 0.5050, 0.5350)),
    ('whatever the order', [C12, A12], D12, (0.5393, 1, 0.5050, 0.5350)),
]


def scores_of(truth, found, **options):
    gt = TrueBoxes([0] * len(truth), [0] * len(truth), [box for box, _ in truth], [count for _, count in truth])
    ranks = [one[2] if len(one) > 2 else 0.9 for one in found]
    pred = DetectedBoxes(
        [0] * len(found), [0] * len(found), [one[0] for one in found], ranks, [one[1] for one in found]
    )
    return locount_scores(pred, gt, num_classes=1, **options).metrics()


@pytest.mark.parametrize(('name', 'truth', 'found', 'expected'), FIXTURES, ids=[one[0] for one in FIXTURES])
def test_examples_of_the_protocol(name, truth, found, expected):
    metrics = scores_of(truth, found)
    got = [metrics[key] for key in ('AP_lc', 'AP_lc_50', 'AP_lc_75', 'AR_lc_150')]
    assert got == pytest.approx(expected, abs=5e-5), name


def random_tables(rng, num_images=4, num_classes=3, integer=False, tied=False, crowds=0.0, counted=True):
    """Boxes of a few sizes on both sides of the limits of the subsets, most of them found with some error."""
    images, labels, boxes, counts = [], [], [], []
    for image in range(num_images):
        for _ in range(rng.integers(0, 9)):
            side = rng.choice([60, 150, 200, 300, 400])
            images.append(image)
            labels.append(rng.integers(num_classes))
            boxes.append([*rng.uniform(0, 300, 2), side * rng.uniform(0.8, 1.2), side])
            counts.append(rng.choice([1, 1, 1, 2, 3, 5, 10, 11, 14]) if counted else 1)
    gt_boxes, gt_counts = np.array(boxes).reshape(-1, 4), np.array(counts, dtype=float)
    keep = rng.random(len(boxes)) < 0.85
    twice = np.concatenate((np.flatnonzero(keep), np.flatnonzero(rng.random(len(boxes)) < 0.4)))
    pred_boxes = gt_boxes[twice] + rng.normal(0, 12, (len(twice), 4))
    pred_boxes[:, 2:] = np.abs(pred_boxes[:, 2:])
    pred_counts = np.maximum(1, gt_counts[twice] + rng.integers(-2, 3, len(twice))) if counted else np.ones(len(twice))
    if integer:
        gt_boxes, pred_boxes = (gt_boxes / 50).round() * 50, (pred_boxes / 50).round() * 50
    scores = rng.random(len(twice))
    if tied:
        scores = (scores * 4).round() / 4
    gt_images, gt_labels = np.array(images, dtype=int), np.array(labels, dtype=int)
    crowd = rng.random(len(boxes)) < crowds
    truth = TrueBoxes(gt_images, gt_labels, gt_boxes, gt_counts, crowd=crowd)
    pred_labels = np.where(rng.random(len(twice)) < 0.9, gt_labels[twice], rng.integers(0, num_classes, len(twice)))
    return DetectedBoxes(gt_images[twice], pred_labels, pred_boxes, scores, pred_counts), truth


def iou_of(one, other, crowd):
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = one[2] * one[3]
    return width * height / (area if crowd else area + other[2] * other[3] - width * height)


def one_cell(pred, gt, label, iou_thr, count_thr, pred_outside, gt_outside, max_dets):
    """Average precision and recall of one class in one cell, as the words of the protocol say it."""
    order = sorted(
        np.flatnonzero(pred.labels == label),
        key=lambda p: (-pred.scores[p], pred.images[p], *pred.bboxes[p], pred.counts[p]),
    )
    total = sum(gt.labels[g] == label and not gt_outside[g] for g in range(len(gt)))
    if not total:
        return math.nan, math.nan
    taken, used, verdicts = set(), {}, []
    for p in order:
        used[pred.images[p]] = used.get(pred.images[p], 0) + 1
        if used[pred.images[p]] > max_dets:
            continue
        options = []
        for g in range(len(gt)):
            if gt.images[g] != pred.images[p] or gt.labels[g] != label or (g in taken and not gt.crowd[g]):
                continue
            iou = iou_of(pred.bboxes[p], gt.bboxes[g], gt.crowd[g])
            accuracy = 1.0 if gt.crowd[g] else float(count_accuracy(pred.counts[p], gt.counts[g]))
            if iou >= iou_thr and accuracy >= count_thr:
                rank = (not gt_outside[g], iou, accuracy, *gt.bboxes[g], gt.counts[g], gt.areas[g])
                options.append((rank, g))
        if options:
            g = max(options)[1]
            taken.add(g)
            verdicts += [] if gt_outside[g] else [True]
        elif not pred_outside[p]:
            verdicts.append(False)
    right, curve = 0, []
    for number, verdict in enumerate(verdicts, start=1):
        right += verdict
        curve.append((right / total, right / number))
    precisions = [max([p for r, p in curve if r >= k], default=0.0) for k in np.linspace(0, 1, 101)]
    return sum(precisions) / 101, right / total


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    integer=st.booleans(),
    tied=st.booleans(),
    crowds=st.sampled_from([0.0, 0.3]),
    rule=st.sampled_from(['predicted', 'any']),
    max_dets=st.sampled_from([1, 2, 100]),
)
def test_every_cell_is_that_of_the_plain_loop(seed, integer, tied, crowds, rule, max_dets):
    rng = np.random.default_rng(seed)
    pred, gt = random_tables(rng, integer=integer, tied=tied, crowds=crowds)
    subsets = (Subset('all'), LOCOUNT_SUBSETS[1], LOCOUNT_SUBSETS[4])
    masks = outside_masks(pred, gt, subsets, rule)
    grid = score_grid(pred, gt, 3, GRID_THRS, GRID_THRS, *masks, max_dets=max_dets)
    gt_outside = masks[1] | gt.crowd
    for label in range(3):
        for subset in range(3):
            for cell in ((0, 0), (5, 0), (2, 5), (9, 9)):
                expected = one_cell(
                    pred,
                    gt,
                    label,
                    GRID_THRS[cell[0]],
                    GRID_THRS[cell[1]],
                    masks[0][subset],
                    gt_outside[subset],
                    max_dets,
                )
                got = grid.ap[(label, subset, *cell)], grid.recall[(label, subset, *cell)]
                assert got == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(seed=st.integers(0, 2**31), tied=st.booleans())
def test_the_order_of_the_tables_does_not_matter(seed, tied):
    rng = np.random.default_rng(seed)
    pred, gt = random_tables(rng, integer=True, tied=tied, crowds=0.1)
    rows, gt_rows = rng.permutation(len(pred)), rng.permutation(len(gt))
    shuffled = DetectedBoxes(*(getattr(pred, key)[rows] for key in ('images', 'labels', 'bboxes', 'scores', 'counts')))
    keys = ('images', 'labels', 'bboxes', 'counts', 'areas', 'crowd')
    shuffled_gt = TrueBoxes(*(getattr(gt, key)[gt_rows] for key in keys))
    one, other = locount_scores(pred, gt, 3), locount_scores(shuffled, shuffled_gt, 3)
    np.testing.assert_array_equal(one.lc.ap, other.lc.ap)
    np.testing.assert_array_equal(one.plain.recall, other.plain.recall)
    assert one.metrics() == pytest.approx(other.metrics(), nan_ok=True)


def pycocotools_scores(pred, gt, num_classes, num_images, max_dets):
    """Precision (T, K, A) and recall of pycocotools for tables in the order of ties that ours has."""
    gt_order = np.lexsort((gt.areas, *gt.bboxes.T[::-1]))
    order = np.lexsort((*pred.bboxes.T[::-1], -pred.scores))
    api = COCO()
    api.dataset = {
        'images': [{'id': image} for image in range(num_images)],
        'categories': [{'id': label} for label in range(num_classes)],
        'annotations': [
            {
                'id': number,
                'image_id': int(gt.images[g]),
                'category_id': int(gt.labels[g]),
                'bbox': gt.bboxes[g].tolist(),
                'area': float(gt.areas[g]),
                'iscrowd': int(gt.crowd[g]),
            }
            for number, g in enumerate(gt_order, start=1)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        api.createIndex()
        found = api.loadRes(
            [
                {
                    'image_id': int(pred.images[p]),
                    'category_id': int(pred.labels[p]),
                    'bbox': pred.bboxes[p].tolist(),
                    'score': float(pred.scores[p]),
                }
                for p in order
            ]
        )
        evaluation = COCOeval(api, found, 'bbox')
        evaluation.params.maxDets = [max_dets]
        evaluation.params.areaRng = [[0, 1e10], [0, 150**2], [150**2, 300**2], [300**2, 1e10]]
        evaluation.params.areaRngLbl = ['all', 'SS', 'MS', 'LS']
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][..., 0].mean(axis=1).transpose(1, 2, 0)
    recall = evaluation.eval['recall'][..., 0].transpose(1, 2, 0)
    return np.where(precision < 0, np.nan, precision), np.where(recall < 0, np.nan, recall)


@pytest.mark.parametrize('seed', range(12))
def test_without_counts_the_numbers_are_those_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    max_dets = (100, 2)[seed % 2]
    pred, gt = random_tables(rng, 8, integer=seed % 3 == 1, tied=seed % 4 == 2, crowds=0.2 * (seed % 5 == 3))
    # pycocotools lets the order decide between equal overlaps of different boxes; equal counts leave it alone here.
    blind = DetectedBoxes(pred.images, pred.labels, pred.bboxes, pred.scores)
    alike = TrueBoxes(gt.images, gt.labels, gt.bboxes, None, gt.areas * rng.uniform(0.5, 1, len(gt)), gt.crowd)
    masks = outside_masks(blind, alike, (Subset('all'), *LOCOUNT_SUBSETS[:3]))
    ours = score_grid(blind, alike, 3, GRID_THRS, (0.0,), *masks, max_dets=max_dets)
    precision, recall = pycocotools_scores(blind, alike, 3, 8, max_dets)
    np.testing.assert_allclose(ours.ap[..., 0], precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.recall[..., 0], recall, rtol=0, atol=1e-12)
    scores = locount_scores(pred, alike, 3, max_dets=max_dets)
    np.testing.assert_allclose(scores.plain.ap[:, 0, :, 0], precision[:, 0], rtol=0, atol=1e-12)
    assert scores.metrics()['AP'] == pytest.approx(np.nanmean(precision[:, 0]))


def test_accuracies_reach_their_thresholds_in_floating_point():
    """|c - g| / g is compared as a fraction: 20 (g - |c - g|) >= k g for the threshold k / 20."""
    for true in (*range(1, 57), 77, 100, 140, 999):
        pred = np.arange(1, 2 * true + 1)
        boxes = np.tile(B, (len(pred), 1))
        truth = TrueBoxes(pred, pred * 0, boxes, np.full(len(pred), true))
        found = DetectedBoxes(pred, pred * 0, boxes, np.ones(len(pred)), pred)
        recall = score_grid(found, truth, 1, (0.5,)).recall[0, 0, 0]
        exact = [(20 * (true - np.abs(pred - true)) >= (10 + k) * true).mean() for k in range(10)]
        assert recall.tolist() == pytest.approx(exact)


def test_subsets_are_closed_at_both_ends():
    sides = (149, 150, 151, 300, 301)
    gt = TrueBoxes(range(5), [0] * 5, [(0, 0, side, side) for side in sides], (1, 2, 10, 11, 1))
    pred, outside = outside_masks(DetectedBoxes([], [], [], []), gt, LOCOUNT_SUBSETS)
    assert pred.shape == (6, 0)
    inside = {one.name: np.flatnonzero(~row).tolist() for one, row in zip(LOCOUNT_SUBSETS, outside, strict=True)}
    assert inside == {'SS': [0, 1], 'MS': [1, 2, 3], 'LS': [3, 4], 'IN': [0, 4], 'MN': [1, 2], 'LN': [3]}


def test_a_box_outside_of_a_subset_is_neither_missed_nor_wrong():
    small, large = (0, 0, 100, 100), (300, 0, 400, 400)
    metrics = scores_of([(small, 1), (large, 3)], [(small, 1, 0.9), (large, 3, 0.5)])
    for name in ('SS', 'LS', 'IN', 'MN'):
        assert (metrics[f'AP_lc_{name}'], metrics[f'AR_lc_{name}']) == pytest.approx((1, 1))
    assert math.isnan(metrics['AP_lc_MS'])
    assert math.isnan(metrics['AR_lc_LN'])
    metrics = scores_of([(large, 3)], [(small, 12, 0.9), (large, 3, 0.5)])
    assert (metrics['AP_lc'], metrics['AP_lc_LS'], metrics['AP_lc_MN']) == pytest.approx((0.5, 1, 1))


def test_the_rule_of_counts_decides_whether_a_stray_box_is_wrong_in_a_subset():
    large, stray = (300, 0, 400, 400), (0, 0, 100, 100)
    found = [(stray, 12, 0.9), (large, 3, 0.5)]
    assert scores_of([(large, 3)], found, count_rule='predicted')['AP_lc_MN'] == pytest.approx(1)
    assert scores_of([(large, 3)], found, count_rule='any')['AP_lc_MN'] == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"count_rule must be one of .*, got 'true'"):
        scores_of([(large, 3)], found, count_rule='true')


def test_crowds_take_any_number_of_detections_of_any_count():
    truth = TrueBoxes([0, 0], [0, 0], [(0, 0, 400, 400), (500, 0, 100, 100)], [0, 2], crowd=[True, False])
    boxes = [(10, 10, 100, 100), (200, 200, 100, 100), (500, 0, 100, 100)]
    found = DetectedBoxes([0] * 3, [0] * 3, boxes, [0.9, 0.8, 0.7], [40, 1, 2])
    scores = locount_scores(found, truth, 1)
    assert scores.metrics()['AP_lc'] == pytest.approx(1)
    assert scores.metrics()['AP'] == pytest.approx(1)
    assert scores.errors.tolist() == [0]


def test_counts_never_change_the_plain_numbers():
    rng = np.random.default_rng(5)
    pred, gt = random_tables(rng, integer=True, tied=True)
    other = DetectedBoxes(pred.images, pred.labels, pred.bboxes, pred.scores, rng.integers(1, 57, len(pred)))
    one, two = locount_scores(pred, gt, 3), locount_scores(other, gt, 3)
    np.testing.assert_array_equal(one.plain.ap, two.plain.ap)
    assert one.metrics()['AP_lc'] != two.metrics()['AP_lc']


def test_errors_of_counts_are_those_of_the_pairs():
    boxes = [(0, 0, 100, 100), (200, 0, 100, 100), (400, 0, 100, 100), (600, 0, 100, 100)]
    gt = TrueBoxes([0] * 4, [0, 0, 1, 1], boxes, [4, 2, 8, 1])
    pred = DetectedBoxes([0] * 4, [0, 0, 1, 0], boxes, [0.9, 0.8, 0.1, 0.7], [6, 1, 5, 9])
    rows, matched = match_counts(pred, gt, 2)
    assert (rows.tolist(), matched.tolist()) == ([0, 1, 2], [0, 1, 2])
    scores = locount_scores(pred, gt, 2)
    metrics = scores.metrics()
    assert (metrics['count_MAE'], metrics['count_bias']) == pytest.approx((2, -2 / 3))
    assert (scores.of_class(0)['count_MAE'], scores.of_class(0)['count_bias']) == pytest.approx((1.5, 0.5))
    assert scores.of_class(1)['AP'] == pytest.approx(51 / 101)
    # Two counts in one place: each goes to its own.
    rows, matched = match_counts(
        DetectedBoxes([0, 0], [0, 0], [B, B], [0.9, 0.8], [2, 4]), TrueBoxes([0, 0], [0, 0], [B, B], [4, 2]), 1
    )
    assert matched.tolist() == [1, 0]


def test_nothing_found_is_zero_and_nothing_to_find_is_no_number():
    empty = DetectedBoxes([], [], [], [])
    metrics = scores_of([(B, 2)], [])
    assert (metrics['AP_lc'], metrics['AR_lc_150'], metrics['AP_lc_MN'], metrics['AP']) == (0, 0, 0, 0)
    assert math.isnan(metrics['count_MAE'])
    nothing = locount_scores(DetectedBoxes([3], [0], [B], [0.5]), TrueBoxes([], [], []), 2).metrics()
    assert all(math.isnan(value) for value in nothing.values())
    assert np.isnan(score_grid(empty, TrueBoxes([], [], []), 2).ap).all()


def test_boxes_of_an_untrained_detector_are_wrong_and_nothing_else():
    truth = TrueBoxes([0], [0], [B])
    boxes = [(-np.inf, 0, np.inf, 9), (np.nan, 0, 4, 4), B]
    metrics = locount_scores(DetectedBoxes([0] * 3, [0] * 3, boxes, [0.9, 0.8, 0.7]), truth, 1).metrics()
    assert metrics['AP'] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: TrueBoxes([0], [0], [B], [0]), r'counts must be at least 1, got 0 at index 0'),
        (lambda: TrueBoxes([0], [0], [(0, 0, 1, np.inf)]), r'bboxes must be finite, got \[.*inf\] at index 0'),
        (lambda: TrueBoxes([0, 1], [0], [B]), r'images must be 1, one for each box, got 2'),
        (lambda: DetectedBoxes([0], [0], [B], [np.nan]), r'scores must be finite, got nan at index 0'),
        (lambda: DetectedBoxes([0], [0], [B[:3]], [1]), r'bboxes must be \(N, 4\), got \(1, 3\)'),
        (
            lambda: score_grid(DetectedBoxes([0], [2], [B], [1]), TrueBoxes([], [], []), 2),
            r'detections must be in 0..1',
        ),
        (lambda: score_grid(DetectedBoxes([], [], [], []), TrueBoxes([], [], []), 1, (0.6, 0.5)), 'ascending'),
        (lambda: score_grid(DetectedBoxes([], [], [], []), TrueBoxes([], [], []), 1, max_dets=0), 'max_dets'),
        (lambda: count_accuracy(1, 0), 'at least 1, got 0'),
    ],
)
def test_bad_tables_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
