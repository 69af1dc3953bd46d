"""Precision, recall and F1 of points, as the NWPU-Crowd benchmark defines them.

Wang et al., "NWPU-Crowd: A Large-Scale Benchmark for Crowd Counting and Localization", 2020. A prediction may match a
head within its own radius: sigma_s, half of the shorter side of its box, or sigma_l, half of the diagonal. The
matching is one-to-one and the largest possible; its size does not tell how near the pairs are. Numbers are summed up
over all images before any ratio is taken. One image is scored into a small record by `score_points`, and
`localization_errors` turns all records into the benchmark's numbers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .counting import mae, nae, rmse

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Rounding = Literal['none', 'nearest', 'truncate']

LEVEL_EDGES = (10.0, 100.0, 1e3, 1e4, 1e5)
NUM_LEVELS = len(LEVEL_EDGES) + 1


class CrowdPoints(NamedTuple):
    """The annotated objects of one image.

    Attributes:
        points: (N, 2) px, (x, y).
        sigmas: (N, 2) px, sigma_s and sigma_l of each; None where only fixed radii are to be used. A negative one,
            which public lists contain, matches nothing.
        levels: (N,) size level 0..5 of each, or None.
        announced: Objects of which errors of counting are computed, if not N: some public lists announce objects that
            they do not list.
    """

    points: FloatArray
    sigmas: FloatArray | None = None
    levels: IntArray | None = None
    announced: int | None = None


def box_sigmas(bboxes: ArrayLike, rounding: Rounding = 'none') -> FloatArray:
    """sigma_s = min(w, h) / 2 and sigma_l = sqrt(w^2 + h^2) / 2 of each box.

    Args:
        bboxes: (x1, y1, x2, y2) in pixel edges.
        rounding: The list of NWPU-Crowd has them rounded to the 'nearest' whole number (halves up), the lists that
            IIM's preparation scripts write have them 'truncate'-d.

    Shape:
        bboxes: (N, 4) -> (N, 2) px.

    Example:
        >>> box_sigmas([[0, 0, 6, 8]]).tolist()
        [[3.0, 5.0]]
    """
    boxes = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4)
    sides = boxes[:, 2:] - boxes[:, :2]
    sigmas = np.stack((sides.min(axis=1), np.hypot(sides[:, 0], sides[:, 1])), axis=1) / 2
    if rounding == 'nearest':
        return np.floor(sigmas + 0.5)
    if rounding == 'truncate':
        return np.trunc(sigmas)
    if rounding != 'none':
        raise ValueError(f"rounding must be 'none', 'nearest' or 'truncate', got {rounding!r}")
    return sigmas


def box_levels(bboxes: ArrayLike) -> IntArray:
    """Size level of each box by its area: up to 10 px^2, 100, 1e3, 1e4, 1e5, and above (A0 to A5).

    The published scripts put an area of exactly 100 into level 0; here it is in level 1, as in the paper.

    Shape:
        bboxes: (N, 4) -> (N,) int64 in 0..5.

    Example:
        >>> box_levels([[0, 0, 2, 5], [0, 0, 10, 10], [0, 0, 400, 300]]).tolist()
        [0, 1, 5]
    """
    boxes = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.searchsorted(LEVEL_EDGES, areas).astype(np.int64)


def found_points(pred: ArrayLike, points: ArrayLike, radius: ArrayLike) -> NDArray[np.bool_]:
    """True points that a largest one-to-one matching finds, in the order of the published search.

    Predictions are taken as given, true points ascending and depth first, so that the set, and with it the recall of
    each size level, is that of the benchmark and not only its size.

    Args:
        pred: Predicted (x, y).
        points: True (x, y) in the same unit.
        radius: One for all or one per true point; the distance may be equal to it. A point with a negative one is not
            found.

    Shape:
        pred: (P, 2), points: (N, 2), radius: () or (N,) -> (N,) bool.

    Raises:
        ValueError: A coordinate or radius is not finite, or a shape is wrong.

    Example:
        >>> found_points([[0, 0], [1, 0]], [[1, 0], [9, 0]], radius=[1, 3]).tolist()
        [True, False]
    """
    from mmcount.ops import match_points

    true = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    reach = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(true))
    usable = np.flatnonzero(~(reach < 0))  # NaN stays, to be refused
    pairs = match_points(
        torch.from_numpy(np.asarray(pred, dtype=np.float64).reshape(-1, 2).copy()),
        torch.from_numpy(true[usable]),
        torch.from_numpy(reach[usable]),
    )
    found = np.zeros(len(true), dtype=bool)
    found[usable[pairs[:, 1].numpy()]] = True
    return found


def score_points(pred: ArrayLike, truth: CrowdPoints, sigmas: Sequence[float] = ()) -> dict[str, Any]:
    """The record of one image.

    Args:
        pred: Predicted (x, y), inside the image or not.
        truth: The annotated objects.
        sigmas: Fixed radii, px.

    Returns:
        ``pred``: predictions, (); ``listed``: true points, (); ``true``: objects of which errors of counting are
        computed, (); ``fixed``: points found at each of ``sigmas``, (S,); and, if they have sigmas of their own,
        ``adaptive``: found under sigma_s and sigma_l, (2,), and with levels ``level_listed`` and ``level_found``
        (2, 6).

    Shape:
        pred: (P, 2).

    Raises:
        ValueError: A shape is wrong or a number is not finite.
    """
    points = np.asarray(pred, dtype=np.float64).reshape(-1, 2)
    _check_points(truth)
    number = len(truth.points)
    record: dict[str, Any] = {
        'pred': np.float64(len(points)),
        'listed': np.float64(number),
        'true': np.float64(number if truth.announced is None else truth.announced),
        'fixed': np.array([found_points(points, truth.points, sigma).sum() for sigma in sigmas], dtype=np.float64),
    }
    if truth.sigmas is not None:
        found = np.stack([found_points(points, truth.points, radius) for radius in truth.sigmas.T])
        record['adaptive'] = found.sum(axis=1).astype(np.float64)
        if truth.levels is not None:
            in_level = truth.levels[:, None] == np.arange(NUM_LEVELS)
            record['level_listed'] = in_level.sum(axis=0).astype(np.float64)
            record['level_found'] = found.astype(np.float64) @ in_level
    return record


def _check_points(truth: CrowdPoints) -> None:
    number = len(truth.points)
    if truth.points.shape != (number, 2):
        raise ValueError(f'points must be (N, 2), got shape {truth.points.shape}')
    if truth.sigmas is not None and truth.sigmas.shape != (number, 2):
        raise ValueError(f'{number} points need sigmas of shape ({number}, 2), got {truth.sigmas.shape}')
    if truth.levels is None:
        return
    if truth.levels.shape != (number,):
        raise ValueError(f'{number} points need levels of shape ({number},), got {truth.levels.shape}')
    if number and not 0 <= truth.levels.min() <= truth.levels.max() < NUM_LEVELS:
        raise ValueError(f'levels must be in 0..{NUM_LEVELS - 1}, got {truth.levels.min()}..{truth.levels.max()}')


def precision_recall_f1(found: float, predicted: float, true: float) -> tuple[float, float, float]:
    """Precision, recall and F1 from the number of matches; a ratio without denominator is 0.

    Example:
        >>> precision_recall_f1(found=3, predicted=4, true=6)
        (0.75, 0.5, 0.6)
    """
    precision = found / predicted if predicted else 0.0
    recall = found / true if true else 0.0
    f1 = 2 * found / (predicted + true) if predicted + true else 0.0
    return float(precision), float(recall), float(f1)


def fixed_radii(sigmas: Sequence[float] = (), sigma_ranges: Sequence[tuple[int, int]] = ()) -> tuple[float, ...]:
    """All radii that the images must be scored with, ascending.

    Args:
        sigmas: Radii of which each is reported, px.
        sigma_ranges: First and last whole radius of means, both included.

    Raises:
        ValueError: A radius is negative or not finite, or a range is empty.

    Example:
        >>> fixed_radii(sigmas=(4, 8), sigma_ranges=[(1, 4)])
        (1.0, 2.0, 3.0, 4.0, 8.0)
    """
    radii = {float(sigma) for sigma in sigmas}
    for first, last in sigma_ranges:
        if first > last:
            raise ValueError(f'a range of sigmas must be (first, last) with first <= last, got ({first}, {last})')
        radii.update(float(sigma) for sigma in range(first, last + 1))
    if not all(np.isfinite(sigma) and sigma >= 0 for sigma in radii):
        raise ValueError(f'sigmas must be finite and not negative, got {sorted(radii)}')
    return tuple(sorted(radii))


def localization_errors(
    records: Iterable[Mapping[str, Any]],
    sigmas: Sequence[float] = (),
    sigma_ranges: Sequence[tuple[int, int]] = (),
) -> dict[str, float]:
    """The benchmark's numbers from the records of `score_points`.

    Args:
        records: One for each image, scored with the radii of `fixed_radii`.
        sigmas: Fixed radii to report, px.
        sigma_ranges: First and last whole radius over which precision, recall and F1 are averaged.

    Returns:
        ``F1_l``, ``P_l``, ``R_l`` (under sigma_l) and ``F1_s``, ``P_s``, ``R_s``; ``F1_sigma4``, ... for each fixed
        radius; ``F1_sigma1to100``, ... for each range; the recalls ``A0`` to ``A5`` of the levels that any head has,
        under sigma_l, with ``A_mean``; ``MAE``, ``MSE`` (the root of the mean squared error) and ``NAE`` (over the
        images with a head); ``negative_images``, those without, and their ``negative_MAE`` and ``negative_MSE``, where
        every prediction is wrong. Ratios are fractions of 1. Numbers of what does not occur are left out.

    Raises:
        ValueError: There is no record, only some have sigmas or levels, or they were scored with other radii.

    Example:
        >>> truth = CrowdPoints(np.array([[10.0, 10.0], [50.0, 50.0]]))
        >>> metrics = localization_errors([score_points([[13, 10]], truth, sigmas=(4,))], sigmas=(4,))
        >>> metrics['P_sigma4'], metrics['R_sigma4'], metrics['MAE']
        (1.0, 0.5, 1.0)
    """
    kept = list(records)
    if not kept:
        raise ValueError('no image was evaluated')
    pred, listed, true = (np.array([float(one[key]) for one in kept]) for key in ('pred', 'listed', 'true'))
    metrics: dict[str, float] = {}

    def report(name: str, scores: ArrayLike) -> None:
        precision, recall, f1 = np.asarray(scores, dtype=np.float64).tolist()
        metrics.update({f'F1_{name}': f1, f'P_{name}': precision, f'R_{name}': recall})

    adaptive = _summed(kept, 'adaptive')
    if adaptive is not None:
        for name, found in (('l', adaptive[1]), ('s', adaptive[0])):
            report(name, precision_recall_f1(found, pred.sum(), listed.sum()))
    _report_fixed(report, kept, (pred.sum(), listed.sum()), sigmas, sigma_ranges)
    level_listed, level_found = _summed(kept, 'level_listed'), _summed(kept, 'level_found')
    if level_listed is not None and level_found is not None and level_listed.any():
        levels = np.flatnonzero(level_listed)
        recalls = level_found[1, levels] / level_listed[levels]
        metrics.update({f'A{level}': float(recall) for level, recall in zip(levels, recalls, strict=True)})
        metrics['A_mean'] = float(recalls.mean())
    metrics['MAE'], metrics['MSE'] = mae(pred, true), rmse(pred, true)
    ratio, left_out = nae(pred, true)
    if left_out < len(kept):
        metrics['NAE'] = ratio
    metrics['negative_images'] = float(left_out)
    if left_out:
        negative = true == 0
        metrics['negative_MAE'] = mae(pred[negative], true[negative])
        metrics['negative_MSE'] = rmse(pred[negative], true[negative])
    return metrics


def _summed(records: list[Mapping[str, Any]], key: str) -> FloatArray | None:
    """Sum over the images, or None if no image has it."""
    having = [one[key] for one in records if key in one]
    if not having:
        return None
    if len(having) != len(records):
        raise ValueError(
            f'{len(having)} of {len(records)} images have {"levels" if "level" in key else "sigmas"} and the others '
            'have not: their numbers cannot be pooled'
        )
    return np.sum(having, axis=0, dtype=np.float64)


def _report_fixed(
    report: Callable[[str, ArrayLike], None],
    records: list[Mapping[str, Any]],
    totals: tuple[float, float],
    sigmas: Sequence[float],
    sigma_ranges: Sequence[tuple[int, int]],
) -> None:
    radii = fixed_radii(sigmas, sigma_ranges)
    if any(len(one['fixed']) != len(radii) for one in records):
        raise ValueError(
            f'{len(radii)} fixed radii are to be reported, but images were scored with '
            f'{sorted({len(one["fixed"]) for one in records})}'
        )
    found = np.sum([one['fixed'] for one in records], axis=0)
    scores = {sigma: precision_recall_f1(one, *totals) for sigma, one in zip(radii, found, strict=True)}
    for sigma in dict.fromkeys(float(sigma) for sigma in sigmas):
        report(f'sigma{sigma:g}', scores[sigma])
    for first, last in sigma_ranges:
        mean = np.mean([scores[float(sigma)] for sigma in range(first, last + 1)], axis=0)
        report(f'sigma{first}to{last}', mean)
