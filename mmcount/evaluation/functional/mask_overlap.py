"""Overlap of predicted with true masks: mask IoU, average best overlap, and AP of masks.

Masks are bool arrays (N, H, W) or lists of N run-length encodings of pycocotools, ``dict(size=(H, W), counts=...)``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pycocotools.mask as mask_utils
from numpy.typing import ArrayLike, NDArray

from mmcount.utils.run_lengths import checked_runs

FloatArray = NDArray[np.float64]
Rles = list[dict[str, Any]]
Matching = Literal['free', 'best']
APMode = Literal['area', '11points']
MATCHINGS: tuple[Matching, ...] = ('free', 'best')
AP_MODES: tuple[APMode, ...] = ('area', '11points')


def encode_masks(masks: Any, img_shape: tuple[int, int] | None = None) -> Rles:
    """Run-length encodings of masks.

    Args:
        masks: Bool or integer array, or run-length encodings, whose ``counts`` may be bytes, text or a list.
        img_shape: (height, width) that every mask must have, px.

    Shape:
        masks: (N, H, W) -> N encodings.

    Raises:
        ValueError: The masks are not (N, H, W), not binary, or of another size than the image.

    Example:
        >>> rles = encode_masks(np.eye(3, dtype=bool)[None])
        >>> [int(area) for area in mask_utils.area(rles)]
        [3]
    """
    if isinstance(masks, (list, tuple)) and all(isinstance(mask, Mapping) for mask in masks):
        rles = [_compressed(index, mask) for index, mask in enumerate(masks)]
    else:
        array = np.asarray(masks)
        if array.ndim != 3:
            raise ValueError(f'masks must be (N, H, W) or a list of run-length encodings, got shape {array.shape}')
        if array.dtype.kind not in 'bui':
            raise ValueError(f'masks must be binary, got an array of {array.dtype}; apply a threshold first')
        # An encoding runs down the columns: this is (H, W, N) with the columns of each mask contiguous in memory.
        columns = np.ascontiguousarray((array != 0).transpose(0, 2, 1)).view(np.uint8)
        rles = list(mask_utils.encode(columns.transpose(2, 1, 0))) if len(array) else []
        if img_shape is not None and array.shape[1:] != tuple(img_shape):
            raise ValueError(_size_message(array.shape[1:], img_shape))
    for rle in rles:
        if img_shape is not None and tuple(rle['size']) != tuple(img_shape):
            raise ValueError(_size_message(rle['size'], img_shape))
    return rles


def remove_pixels(rles: Rles, pixels: ArrayLike) -> Rles:
    """Masks without some pixels, such as those that an annotator left void.

    Shape:
        rles: N encodings of (H, W). pixels: (H, W) bool.

    Raises:
        ValueError: The sizes differ.

    Example:
        >>> rles = remove_pixels(encode_masks(np.ones((1, 2, 2), dtype=bool)), [[True, False], [False, False]])
        >>> [int(area) for area in mask_utils.area(rles)]
        [3]
    """
    kept = ~np.asarray(pixels, dtype=bool)
    if kept.ndim != 2:
        raise ValueError(f'pixels must be (H, W), got shape {kept.shape}')
    for rle in rles:
        if tuple(rle['size']) != kept.shape:
            raise ValueError(_size_message(rle['size'], kept.shape))
    (kept_rle,) = encode_masks(kept[None])
    return [mask_utils.merge([rle, kept_rle], intersect=True) for rle in rles]


def mask_ious(pred: Any, true: Any, crowd: ArrayLike | None = None) -> FloatArray:
    """Intersection over union of every predicted with every true mask.

    Args:
        pred: Predicted masks.
        true: True masks.
        crowd: True masks of unnumbered objects, for which the union is replaced by the area of the predicted mask, as
            COCO does.

    Shape:
        pred: P masks, true: N masks, crowd: (N,) bool -> (P, N). Two empty masks have an IoU of 0.

    Raises:
        ValueError: Masks are not as of :func:`encode_masks`, or of two sizes.

    Example:
        >>> left, right = np.zeros((2, 1, 4), dtype=bool)
        >>> left[0, :3], right[0, 1:] = True, True
        >>> mask_ious(left[None], right[None]).tolist()
        [[0.5]]
    """
    pred_rles, true_rles = encode_masks(pred), encode_masks(true)
    if not pred_rles or not true_rles:
        return np.zeros((len(pred_rles), len(true_rles)))
    for rle in (*pred_rles, *true_rles):
        if tuple(rle['size']) != tuple(true_rles[0]['size']):
            raise ValueError(_size_message(rle['size'], true_rles[0]['size']))
    flags = [0] * len(true_rles) if crowd is None else [int(flag) for flag in np.asarray(crowd, dtype=bool)]
    ious = mask_utils.iou(pred_rles, true_rles, flags)
    return np.asarray(ious, dtype=np.float64).reshape(len(pred_rles), len(true_rles))


def match_masks(
    ious: ArrayLike,
    scores: ArrayLike,
    iou_thr: float,
    ignored: ArrayLike | None = None,
    matching: Matching = 'free',
) -> NDArray[np.int8]:
    """Outcomes of the predictions of one class in one image: right, wrong or neither.

    In the order of falling scores every prediction takes one true instance with an IoU strictly above the threshold.

    Args:
        ious: IoU of predictions and true instances.
        scores: Of the predictions; equal scores keep their order.
        iou_thr: Threshold.
        ignored: True instances that need not be found ("difficult", crowds). A prediction that takes one is neither
            right nor wrong, and any number of predictions may.
        matching: Which instance a prediction takes. 'free' (Hariharan et al., "Simultaneous Detection and
            Segmentation", section 5): the best that no prediction has taken, else an ignored one. 'best' (the
            development kit of PASCAL VOC): the best of all, taken or not; if it is taken, the prediction is wrong. The
            two differ only if one mask overlaps two instances by more than the threshold.

    Returns:
        (P,) 1 right, 0 wrong, -1 neither.

    Shape:
        ious: (P, N). scores: (P,). ignored: (N,) bool.

    Raises:
        ValueError: The shapes do not fit, a score is not a number, or there is no such matching.

    Example:
        Two predictions of one object: the better scored is right, the other wrong.

        >>> match_masks([[0.6], [0.9]], scores=[0.8, 0.7], iou_thr=0.5).tolist()
        [1, 0]
    """
    overlaps, score_array = np.asarray(ious, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if matching not in MATCHINGS:
        raise ValueError(f'matching must be one of {MATCHINGS}, got {matching!r}')
    if overlaps.ndim != 2 or score_array.shape != overlaps.shape[:1]:
        raise ValueError(f'ious must be (P, N) and scores (P,), got {overlaps.shape} and {score_array.shape}')
    if np.isnan(score_array).any():
        raise ValueError(f'score {int(np.isnan(score_array).argmax())} is not a number')
    free_pass = np.zeros(overlaps.shape[1], dtype=bool) if ignored is None else np.asarray(ignored, dtype=bool)
    if free_pass.shape != overlaps.shape[1:]:
        raise ValueError(f'ignored must be ({overlaps.shape[1]},), got {free_pass.shape}')
    outcome = np.zeros(len(overlaps), dtype=np.int8)
    taken = np.zeros(overlaps.shape[1], dtype=bool)
    above = np.any(overlaps > iou_thr, axis=1).tolist()
    for index in np.argsort(-score_array, kind='stable'):
        if not above[index]:
            continue
        row = overlaps[index]
        if matching == 'free':
            open_row = np.where(taken | free_pass, -1.0, row)
            choice = int(open_row.argmax())
            if open_row[choice] <= iou_thr:
                outcome[index] = -1 if (row[free_pass] > iou_thr).any() else 0
                continue
        else:
            choice = int(row.argmax())
        if free_pass[choice]:
            outcome[index] = -1
        elif not taken[choice]:
            taken[choice] = True
            outcome[index] = 1
    return outcome


def average_precision(outcomes: ArrayLike, scores: ArrayLike, num_true: int, mode: APMode = 'area') -> float:
    """Average precision of the predictions of one class in all images, as PASCAL VOC defines it.

    Everingham et al., "The Pascal Visual Object Classes (VOC) Challenge", section 4.2. Precision at a recall is the
    highest precision at this or any higher recall.

    Args:
        outcomes: 1 right, 0 wrong, -1 neither, as of :func:`match_masks`.
        scores: Of the predictions; equal scores keep their order.
        num_true: True instances that count.
        mode: 'area' under the whole curve (VOC 2010 and later), or the mean of '11points' at recall 0, 0.1 ... 1.

    Returns:
        A share; NaN when there is nothing to find.

    Shape:
        outcomes, scores: (P,).

    Raises:
        ValueError: The shapes differ, more predictions are right than there are instances, or there is no such mode.

    Example:
        >>> average_precision([1, 0, 1], scores=[0.9, 0.8, 0.7], num_true=2)  # 1/2 * 1 + 1/2 * 2/3
        0.8333333333333333
    """
    outcome_array, score_array = np.asarray(outcomes), np.asarray(scores, dtype=np.float64)
    if mode not in AP_MODES:
        raise ValueError(f'mode must be one of {AP_MODES}, got {mode!r}')
    if outcome_array.ndim != 1 or outcome_array.shape != score_array.shape:
        raise ValueError(f'outcomes and scores must be (P,), got {outcome_array.shape} and {score_array.shape}')
    if (outcome_array == 1).sum() > num_true:
        raise ValueError(f'{int((outcome_array == 1).sum())} predictions are right, but there are {num_true} instances')
    if not num_true:
        return float('nan')
    order = np.argsort(-score_array, kind='stable')
    right = outcome_array[order][outcome_array[order] >= 0] == 1
    if not right.any():
        return 0.0
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    if mode == 'area':
        return float(precision[right].sum() / num_true)  # recall grows by one instance at each right prediction
    # In whole numbers: 0.3 * 10 instances is more than 3 in floating point.
    first = np.searchsorted(10 * found, num_true * np.arange(11))
    return float(np.append(precision, 0.0)[first].mean())


def average_best_overlap(
    best: ArrayLike, labels: ArrayLike, images: Sequence[Any], answered: ArrayLike
) -> dict[str, float]:
    """ABO, MABO and a more optimistic mean, from the best IoU of each true instance.

    Pont-Tuset and Van Gool, "Boosting Object Proposals: From Pascal to COCO", 2015, section 3, there for proposals. For
    instance segmentation neither the class of the prediction nor the level of the mean is settled in print: here
    only predictions of the instance's own class count, and an instance without any has an overlap of 0.

    Args:
        best: Highest IoU of each instance with a prediction of its class in its image.
        labels: Class of each instance.
        images: Image of each instance.
        answered: Whether there is any prediction of its class in its image.

    Returns:
        ``ABO``: mean over all instances. ``MABO``: mean over classes of the mean over the instances of each.
        ``ABO_pairs``: mean over (image, class) pairs of the mean over their instances, without the pairs that have no
        prediction, as some public scripts compute it; higher than the others wherever classes are missed. NaN where
        there is nothing to average.

    Shape:
        best, labels, images, answered: (N,).

    Raises:
        ValueError: The lengths differ.

    Example:
        Class 0 was found in both images, class 1 not at all.

        >>> means = average_best_overlap([0.75, 0.25, 0], [0, 0, 1], ['a', 'b', 'b'], answered=[True, True, False])
        >>> {name: round(value, 3) for name, value in means.items()}
        {'ABO': 0.333, 'MABO': 0.25, 'ABO_pairs': 0.5}
    """
    values, label_array = np.asarray(best, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    found = np.asarray(answered, dtype=bool)
    if not values.shape == label_array.shape == found.shape == (len(images),):
        raise ValueError(
            f'lengths differ: best {values.shape}, labels {label_array.shape}, images ({len(images)},), '
            f'answered {found.shape}'
        )
    classes: dict[int, list[float]] = {}
    pairs: dict[tuple[Any, int], list[float]] = {}
    for value, label, image, has in zip(values.tolist(), label_array.tolist(), images, found.tolist(), strict=True):
        classes.setdefault(label, []).append(value)
        if has:
            pairs.setdefault((image, label), []).append(value)
    return {
        'ABO': _mean(values.tolist()),
        'MABO': _mean([_mean(group) for group in classes.values()]),
        'ABO_pairs': _mean([_mean(group) for group in pairs.values()]),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float('nan')


def _size_message(found: Sequence[int], expected: Sequence[int]) -> str:
    return f'masks of (height, width) {tuple(map(int, found))}, expected {tuple(map(int, expected))}'


def _compressed(index: int, rle: Mapping[str, Any]) -> dict[str, Any]:
    """An encoding as pycocotools takes it: ``counts`` in bytes."""
    try:
        runs = checked_runs(rle)
    except ValueError as error:
        raise ValueError(f'mask {index}: {error}') from error
    return dict(mask_utils.frPyObjects(runs, *runs['size']))
