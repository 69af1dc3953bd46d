import itertools
import math

import numpy as np
import pycocotools.mask as mask_utils
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mmdet.evaluation.functional import average_precision as mmdet_average_precision

from mmcount.evaluation.functional import (
    average_best_overlap,
    average_precision,
    encode_masks,
    mask_ious,
    match_masks,
    remove_pixels,
)

LAWS = settings(deadline=None, derandomize=True, max_examples=60)
SIDES = st.tuples(st.integers(1, 6), st.integers(1, 7))
BITS = st.integers(0, 3).flatmap(lambda n: SIDES.flatmap(lambda side: arrays(bool, (n, *side))))
TWO_SETS = st.tuples(st.integers(0, 4), st.integers(0, 4), SIDES).flatmap(
    lambda t: st.tuples(arrays(bool, (t[0], *t[2])), arrays(bool, (t[1], *t[2])))
)
# Few different numbers, so that ties and equalities with the threshold are frequent.
MATCH = st.tuples(st.integers(0, 5), st.integers(0, 4)).flatmap(
    lambda t: st.tuples(
        arrays(float, t, elements=st.sampled_from([0.0, 0.2, 0.5, 0.6, 0.9])),
        arrays(float, t[:1], elements=st.sampled_from([-1.0, 0.3, 0.8])),
        arrays(bool, t[1:]),
    )
)


def plain_iou(pred, true):
    union = np.logical_or(pred, true).sum()
    return np.logical_and(pred, true).sum() / union if union else 0.0


@LAWS
@given(TWO_SETS)
def test_ious_agree_with_a_plain_loop(sets):
    pred, true = sets
    expected = np.array([[plain_iou(one, other) for other in true] for one in pred]).reshape(len(pred), len(true))
    np.testing.assert_allclose(mask_ious(pred, true), expected, atol=1e-12)
    np.testing.assert_allclose(mask_ious(encode_masks(pred), true.astype(np.uint8)), expected, atol=1e-12)


@LAWS
@given(BITS)
def test_encodings_hold_the_masks(masks):
    rles = encode_masks(masks, masks.shape[1:])
    assert len(rles) == len(masks)
    for rle, mask in zip(rles, masks, strict=True):
        assert (mask_utils.decode(rle) == mask).all()
    texts = [{**rle, 'counts': rle['counts'].decode()} for rle in rles]
    assert encode_masks(texts) == [{**rle, 'size': list(rle['size'])} for rle in rles]


def test_runs_that_are_not_compressed_are_read():
    # Down the columns: one empty px, two of the mask, one empty.
    (rle,) = encode_masks([{'size': [2, 2], 'counts': [1, 2, 1]}])
    assert mask_utils.decode(rle).tolist() == [[0, 1], [1, 0]]


@LAWS
@given(TWO_SETS, st.randoms(use_true_random=False))
def test_removed_pixels_are_in_no_mask(sets, random):
    masks, _ = sets
    void = np.array([[random.random() < 0.4 for _ in range(masks.shape[2])] for _ in range(masks.shape[1])])
    left = remove_pixels(encode_masks(masks), void)
    for rle, mask in zip(left, masks, strict=True):
        assert (mask_utils.decode(rle) == (mask & ~void)).all()


def test_a_shifted_square_has_the_known_iou():
    square, shifted = np.zeros((2, 1, 20, 20), dtype=bool)
    square[0, 2:12, 2:12], shifted[0, 2:12, 5:15] = True, True
    assert mask_ious(square, shifted)[0, 0] == pytest.approx(70 / 130)


def test_a_crowd_is_compared_by_the_share_of_the_prediction_inside_of_it():
    pred, crowd = np.zeros((2, 1, 4, 4), dtype=bool)
    pred[0, 0, :2], crowd[0, :, 1:] = True, True
    assert mask_ious(pred, crowd, [True])[0, 0] == 0.5
    assert mask_ious(pred, crowd, [False])[0, 0] == pytest.approx(1 / 13)


@pytest.mark.parametrize(
    ('masks', 'message'),
    [
        (np.zeros((4, 4), dtype=bool), r'masks must be \(N, H, W\)'),
        (np.zeros((1, 4, 4)), 'masks must be binary, got an array of float64'),
        ([{'size': [2, 2]}], "mask 0: expected a COCO run-length code with 'size' and 'counts'"),
        ([{'size': [2, 2], 'counts': [1, 2]}], 'mask 0: the runs add up to 3 pixels, expected 2 x 2'),
    ],
)
def test_what_is_no_mask_is_refused(masks, message):
    with pytest.raises(ValueError, match=message):
        encode_masks(masks)


def test_masks_of_another_size_are_refused():
    small, large = np.zeros((1, 2, 2), dtype=bool), np.zeros((1, 3, 2), dtype=bool)
    message = r'\(height, width\) \(3, 2\), expected \(2, 2\)'
    for masks in (large, encode_masks(large)):
        with pytest.raises(ValueError, match=message):
            encode_masks(masks, (2, 2))
    with pytest.raises(ValueError, match=message):
        mask_ious(large, small)
    with pytest.raises(ValueError, match=message):
        remove_pixels(encode_masks(large), small[0])


def plain_match(ious, scores, thr, ignored, matching):
    """The two protocols, step by step as they are told."""
    taken, outcome = set(), {}
    for p in sorted(range(len(scores)), key=lambda index: -scores[index]):
        candidates = [n for n in range(len(ignored)) if ious[p][n] > thr]
        if matching == 'free':
            free = [n for n in candidates if n not in taken and not ignored[n]]
            candidates = free or [n for n in candidates if ignored[n]]
        best = max(candidates, key=lambda n: ious[p][n], default=None)
        if best is None or best in taken:
            outcome[p] = 0
        elif ignored[best]:
            outcome[p] = -1
        else:
            outcome[p] = 1
            taken.add(best)
    return [outcome[p] for p in range(len(scores))]


@LAWS
@given(MATCH, st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from(['free', 'best']))
def test_matching_agrees_with_a_plain_loop(case, thr, matching):
    ious, scores, ignored = case
    found = match_masks(ious, scores, thr, ignored, matching)
    assert found.tolist() == plain_match(ious.tolist(), scores.tolist(), thr, ignored.tolist(), matching)
    assert (found == 1).sum() <= (~ignored).sum()


def test_an_iou_of_exactly_the_threshold_is_not_enough():
    assert match_masks([[0.5]], [1.0], 0.5).tolist() == [0]
    assert match_masks([[np.nextafter(0.5, 1)]], [1.0], 0.5).tolist() == [1]


def test_one_mask_over_two_instances_shows_the_difference_of_the_protocols():
    # The second prediction is best on the instance that the first has taken, and good enough on the other.
    ious, scores = [[0.9, 0.0], [0.5, 0.4]], [0.8, 0.7]
    assert match_masks(ious, scores, 0.25).tolist() == [1, 1]
    assert match_masks(ious, scores, 0.25, matching='best').tolist() == [1, 0]


def test_any_number_of_predictions_may_find_an_ignored_instance():
    assert match_masks([[0.9], [0.8], [0.1]], [3, 2, 1], 0.5, [True]).tolist() == [-1, -1, 0]


def test_matching_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match='matching must be one of'):
        match_masks([[1.0]], [1.0], 0.5, matching='greedy')
    with pytest.raises(ValueError, match=r'ious must be \(P, N\) and scores \(P,\)'):
        match_masks([[1.0]], [1.0, 2.0], 0.5)
    with pytest.raises(ValueError, match=r'ignored must be \(1,\)'):
        match_masks([[1.0]], [1.0], 0.5, [True, False])
    with pytest.raises(ValueError, match='score 1 is not a number'):
        match_masks([[1.0], [1.0]], [1.0, math.nan], 0.5)


OUTCOMES = st.lists(st.tuples(st.sampled_from([1, 0, -1]), st.integers(-20, 20)), max_size=20)


@LAWS
@given(OUTCOMES, st.integers(0, 5))
def test_average_precision_agrees_with_mmdet(pairs, missed):
    outcomes, scores = np.array([o for o, _ in pairs], dtype=int), np.array([s for _, s in pairs], dtype=float)
    num_true = int((outcomes == 1).sum()) + missed
    value = average_precision(outcomes, scores, num_true)
    if not num_true:
        assert math.isnan(value)
        return
    kept = outcomes[np.argsort(-scores, kind='stable')]
    kept = kept[kept >= 0]
    found = np.cumsum(kept == 1)
    recall, precision = found / num_true, found / np.arange(1, len(kept) + 1)
    assert value == pytest.approx(float(mmdet_average_precision(recall, precision)), abs=1e-6)
    # The eleven points in exact arithmetic.
    points = [
        max((p for p, n in zip(precision, found, strict=True) if 10 * n >= k * num_true), default=0) for k in range(11)
    ]
    assert average_precision(outcomes, scores, num_true, '11points') == pytest.approx(sum(points) / 11)


def test_average_precision_by_hand():
    """Right, wrong, right, neither, wrong; three instances: precision 1 and 2/3 at recall 1/3 and 2/3."""
    outcomes, scores = [1, 0, 1, -1, 0], [5, 4, 3, 2, 1]
    assert average_precision(outcomes, scores, 3) == pytest.approx((1 + 2 / 3) / 3)
    # Recall 0 ... 0.3 has precision 1, 0.4 ... 0.6 has 2/3, the rest 0.
    assert average_precision(outcomes, scores, 3, '11points') == pytest.approx((4 + 3 * 2 / 3) / 11)


def test_average_precision_refuses_what_cannot_be():
    with pytest.raises(ValueError, match='2 predictions are right, but there are 1 instances'):
        average_precision([1, 1], [1, 2], 1)
    with pytest.raises(ValueError, match='mode must be one of'):
        average_precision([1], [1], 1, 'coco')
    with pytest.raises(ValueError, match=r'outcomes and scores must be \(P,\)'):
        average_precision([1], [1, 2], 1)


@LAWS
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 2), st.sampled_from('abc'), st.booleans()), min_size=1))
def test_best_overlaps_are_averaged_at_three_levels(instances):
    best, labels, images, answered = map(list, zip(*instances, strict=True))
    found = average_best_overlap(best, labels, images, answered)
    assert found['ABO'] == pytest.approx(np.mean(best))
    classes = [np.mean([b for b, label in zip(best, labels, strict=True) if label == c]) for c in sorted(set(labels))]
    assert found['MABO'] == pytest.approx(np.mean(classes))
    pairs = [
        [b for b, *key, has in instances if has and key == [label, image]]
        for label, image in itertools.product(range(3), 'abc')
    ]
    means = [np.mean(values) for values in pairs if values]
    assert found['ABO_pairs'] == pytest.approx(np.mean(means) if means else math.nan, nan_ok=True)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match='lengths differ'):
        average_best_overlap([0.5], [0], ['a', 'b'], [True])
