"""``average_precision_grid``: the kernel against the reference, its contract and its errors."""

import numpy as np
import pytest
import torch

from mmcount.ops import average_precision_grid, is_compiled
from mmcount.ops.reference import box_grid as reference

THRESHOLDS = torch.linspace(0.5, 0.95, 10, dtype=torch.float64)


def problem(seed, num_classes=3, num_images=3, coarse=False):
    """Tables of a few classes and images; coarse ones have equal boxes, overlaps and scores."""
    rng = np.random.default_rng(seed)
    rows, preds, gts = [], [], []
    for label in range(num_classes):
        for _ in range(num_images):
            gt = np.concatenate((rng.uniform(0, 40, (rng.integers(0, 6), 2)), np.zeros((0, 2))))
            gt = np.concatenate((gt, rng.uniform(15, 30, gt.shape), rng.integers(1, 14, (len(gt), 1))), axis=1)
            pred = gt[rng.random(len(gt)) < 0.8].repeat(2, axis=0) + rng.normal(0, 2, (1, 5))
            pred = np.abs(pred + rng.normal(0, 1, pred.shape))
            if coarse:
                gt, pred = (gt / 8).round() * 8 + [0, 0, 8, 8, 1], (pred / 8).round() * 8 + [0, 0, 8, 8, 1]
            scores = np.sort(rng.random(len(pred)).round(1 if coarse else 9))[::-1]
            begin, first = sum(map(len, preds)), sum(map(len, gts))
            rows.append((label, begin, begin + len(pred), first, first + len(gt)))
            preds.append(np.column_stack((pred, scores)))
            gts.append(gt)
    pred, gt = np.concatenate(preds), np.concatenate(gts)
    crowd = rng.random(len(gt)) < 0.1
    outside = np.concatenate((crowd[None], crowd | (rng.random((2, len(gt))) < 0.4)))
    pred_outside = np.concatenate((np.zeros((1, len(pred)), bool), rng.random((2, len(pred))) < 0.4))
    pred_parts = (pred[:, :4].copy(), pred[:, 5].copy(), pred[:, 4].round(), pred_outside)
    arrays = (*pred_parts, gt[:, :4].copy(), gt[:, 4].round(), crowd, outside, np.array(rows))
    return [torch.from_numpy(one) for one in arrays]


@pytest.mark.parametrize('seed', range(6))
def test_kernel_and_reference_agree(seed):
    arguments = (*problem(seed, coarse=seed % 2 == 1), THRESHOLDS, THRESHOLDS, torch.linspace(0, 1, 101).double(), 4)
    ours = average_precision_grid(*arguments)
    for got, expected in zip(ours, reference.average_precision_grid(*arguments), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12, equal_nan=True)
    assert ours.ap[3].isnan().all()
    assert 0 < ours.ap.nanmean() < 1
    assert (ours.matches >= 0).any()


def test_grids_of_any_shape():
    for num_iou, num_count in ((1, 1), (3, 40), (128, 1), (1, 100)):
        ious, accuracies = torch.linspace(0.3, 0.95, num_iou).double(), torch.linspace(0.1, 0.95, num_count).double()
        arguments = (*problem(1, num_images=1), ious, accuracies, torch.tensor([0.0, 0.5]).double(), 3)
        for got, expected in zip(
            average_precision_grid(*arguments), reference.average_precision_grid(*arguments), strict=True
        ):
            torch.testing.assert_close(got, expected, rtol=0, atol=1e-12, equal_nan=True)


def test_threads_change_nothing():
    arguments = (*problem(3, num_classes=40), THRESHOLDS, THRESHOLDS, torch.linspace(0, 1, 101).double(), 40)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(average_precision_grid(*arguments))
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_empty_tables():
    arguments = [torch.zeros(0, 4), torch.zeros(0), torch.zeros(0), torch.zeros(2, 0, dtype=torch.bool)]
    arguments += [torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.bool)]
    arguments += [torch.zeros(2, 0, dtype=torch.bool), torch.zeros(0, 5, dtype=torch.int64)]
    grid = average_precision_grid(*arguments, THRESHOLDS, THRESHOLDS, THRESHOLDS, num_classes=2)
    assert grid.ap.shape == grid.recall.shape == (2, 2, 10, 10)
    assert grid.ap.isnan().all()
    assert grid.matches.shape == (0,)


def test_opcheck():
    arguments = (*problem(0), THRESHOLDS, THRESHOLDS, torch.linspace(0, 1, 101).double(), 3)
    torch.library.opcheck(
        torch.ops.mmcount.average_precision_grid.default, arguments, test_utils=('test_schema', 'test_faketensor')
    )


def test_wrong_shapes_and_grids_are_refused():
    arguments = [*problem(0), THRESHOLDS, THRESHOLDS, torch.linspace(0, 1, 11), 3]
    wrong = arguments.copy()
    wrong[1] = wrong[1][:-1]
    with pytest.raises(ValueError, match=r'pred_scores must have shape \(\d+,\), got'):
        average_precision_grid(*wrong)
    wrong = arguments.copy()
    wrong[10] = torch.linspace(0.5, 0.95, 13)
    with pytest.raises(ValueError, match=r'1\.\.128 pairs of thresholds .* got 10 IoU, 13 count and 11 recall'):
        average_precision_grid(*wrong)


@pytest.mark.parametrize(
    ('index', 'value', 'message'),
    [
        (1, float('nan'), 'pred_scores must be finite, got nan at index 2'),
        (2, float('inf'), 'pred_counts must be finite, got inf at index 2'),
        (5, 0.0, 'gt_counts must be finite and above 0, got 0.0 at index 2'),
        (9, float('nan'), 'iou_thrs must be finite and rise'),
        (10, 0.5, 'count_thrs must be finite and rise'),
        (11, float('inf'), 'recall_thrs must be finite and rise'),
    ],
)
def test_wrong_numbers_are_refused(index, value, message):
    wrong = [*problem(0), THRESHOLDS, THRESHOLDS, torch.linspace(0, 1, 11), 3]
    wrong[index] = wrong[index].clone()
    wrong[index][2] = value
    with pytest.raises(ValueError, match=message):
        average_precision_grid(*wrong)


def test_boxes_that_are_no_boxes_match_nothing():
    arguments = [*problem(0, coarse=True), THRESHOLDS, torch.zeros(1), torch.linspace(0, 1, 11), 3]
    values = (float('nan'), float('inf'), -float('inf'), -50.0, 1e308)
    for row, value in enumerate(values):
        arguments[0][row, row % 4] = value
        arguments[4][row + 1, (row + 2) % 4] = value
    double = [one.double() if torch.is_tensor(one) and one.dtype == torch.float32 else one for one in arguments]
    ours = average_precision_grid(*arguments)
    with np.errstate(all='ignore'):
        expected = reference.average_precision_grid(*double)
    for got, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12, equal_nan=True)
    assert (ours.matches >= 0).any()


def test_recalls_above_one_are_never_reached():
    arguments = [*problem(0), THRESHOLDS, THRESHOLDS, torch.tensor([0.5, 1.5, 1e300], dtype=torch.float64), 3]
    for got, expected in zip(
        average_precision_grid(*arguments), reference.average_precision_grid(*arguments), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-12, equal_nan=True)


# The last one has a detection in two groups.
@pytest.mark.parametrize(('column', 'value'), [(2, 10**6), (0, 3), (3, -1), (1, 0)])
def test_groups_out_of_range_are_refused_by_the_kernel_too(column, value):
    wrong = [*problem(0), THRESHOLDS, THRESHOLDS, torch.linspace(0, 1, 11).double(), 3]
    wrong[8] = wrong[8].clone()
    wrong[8][-1, column] = value
    with pytest.raises(ValueError, match='group 8 is out of order or range'):
        average_precision_grid(*wrong)
    if is_compiled('cpu'):
        with pytest.raises(RuntimeError, match='group 8 is out of order or range'):
            torch.ops.mmcount.average_precision_grid(*wrong)
