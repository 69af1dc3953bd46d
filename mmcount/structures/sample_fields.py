"""Read counts and positions from any data sample: ours, a plain mmdet detector's, or the dict of either.

Everything returned is NumPy on the CPU, in float64, ready for a metric or a picture.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import BaseDataElement
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

#: Lowest score of an instance that counts, wherever instances are all that a model predicts.
SCORE_THR = 0.3


def to_dict(sample: Any) -> Mapping[str, Any]:
    """The fields and meta information of a data sample or of its instances as a mapping."""
    if isinstance(sample, Mapping):
        return sample
    if isinstance(sample, BaseDataElement):
        return dict(sample.all_items())
    raise TypeError(f'expected a data sample or its dict, got {type(sample).__name__}')


def to_numpy(value: Any) -> FloatArray:
    """A tensor, box object, array or list as a float64 array on the CPU."""
    if isinstance(value, BaseBoxes):
        value = value.tensor
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().to(torch.float64).numpy()
    return np.asarray(value, dtype=np.float64)


def image_id(sample: Any) -> str:
    """The unique name of the image of a sample.

    Raises:
        ValueError: The sample carries no ``img_id``.
    """
    identity = to_dict(sample).get('img_id')
    if identity is None:
        raise ValueError(
            "a data sample carries no 'img_id', so its record cannot be told from another's; add 'img_id' to the "
            'meta_keys of the packing transform'
        )
    return str(identity)


def instance_weights(instances: Any, score_thr: float = 0.0) -> FloatArray:
    """Objects that each instance stands for: its ``counts`` or 1; 0 if its score is below ``score_thr``.

    Shape:
        returns: (N,).
    """
    fields = to_dict(instances)
    boxes = fields.get('bboxes')
    if fields.get('counts') is not None:
        weights: FloatArray = to_numpy(fields['counts']).reshape(-1)
    elif boxes is not None and to_numpy(boxes).shape[-1] == 5:
        weights = to_numpy(boxes)[:, 4]
    else:
        size = next((len(fields[key]) for key in ('labels', 'points', 'bboxes', 'scores') if key in fields), 0)
        weights = np.ones(size)
    if fields.get('scores') is not None:
        weights = np.where(to_numpy(fields['scores']).reshape(-1) >= score_thr, weights, 0.0)
    return weights


def instance_points(instances: Any) -> FloatArray:
    """Place of each instance: its point, or the centre of its box in pixel-centre coordinates.

    Shape:
        returns: (N, 2) px, (x, y).

    Raises:
        ValueError: The instances have neither points nor boxes.
    """
    fields = to_dict(instances)
    if fields.get('points') is not None:
        return to_numpy(fields['points']).reshape(-1, 2)
    if fields.get('bboxes') is None:
        raise ValueError(f"instances have neither 'points' nor 'bboxes'; they have {sorted(fields)}")
    boxes = to_numpy(fields['bboxes'])
    if boxes.shape[-1] == 2:  # point boxes
        return boxes
    return (boxes[:, 0:2] + boxes[:, 2:4] - 1) / 2


def instance_labels(instances: Any) -> NDArray[np.int64]:
    """The class of each instance; 0 for all of them where there are no labels.

    Shape:
        returns: (N,).
    """
    fields = to_dict(instances)
    if fields.get('labels') is not None:
        return to_numpy(fields['labels']).reshape(-1).astype(np.int64)
    return np.zeros(len(instance_weights(fields)), dtype=np.int64)


def count_instances(instances: Any, num_classes: int, score_thr: float = 0.0) -> FloatArray:
    """Objects of each class among instances.

    Args:
        instances: ``labels`` and optionally ``counts`` and ``scores``; an instance without ``counts`` is one object.
        num_classes: C.
        score_thr: Instances with a lower score are not counted.

    Shape:
        returns: (C,) objects.

    Raises:
        ValueError: A label is not in 0..C-1.

    Example:
        >>> instances = dict(labels=[0, 0, 1], scores=[0.9, 0.1, 0.8], counts=[3, 1, 2])
        >>> count_instances(instances, num_classes=2, score_thr=0.5).tolist()
        [3.0, 2.0]
    """
    labels = instance_labels(instances)
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f'labels must be in 0..{num_classes - 1}, got {labels.min()}..{labels.max()}')
    counts = np.bincount(labels, weights=instance_weights(instances, score_thr), minlength=num_classes)
    return counts.astype(np.float64)


def counted_from(sample: Any, score_thr: float = SCORE_THR) -> float:
    """Lowest score of an instance that belongs to the predicted count.

    A model that predicts counts or a density chooses it: ``count_score_thr`` of the sample, or else every instance
    counts (``-inf``). Of a plain detector, instances from ``score_thr`` on count.

    Example:
        >>> counted_from({'pred_counts': [2.0]}), counted_from({'pred_counts': [2.0], 'count_score_thr': 0.5})
        (-inf, 0.5)
        >>> counted_from({'pred_instances': {}})
        0.3
    """
    fields = to_dict(sample)
    if fields.get('pred_counts') is None and fields.get('pred_density') is None:
        return score_thr
    return float(fields.get('count_score_thr', -np.inf))


def predicted_counts(sample: Any, num_classes: int | None = None, score_thr: float = SCORE_THR) -> FloatArray:
    """Predicted objects of each class: ``pred_counts``, else the sum of ``pred_density``, else the instances.

    Args:
        sample: A data sample or its dict.
        num_classes: C, checked; without it the sample decides.
        score_thr: Lowest score of an instance that is counted, if instances are all there is.

    Shape:
        returns: (C,) objects, not rounded.

    Raises:
        ValueError: The sample holds no prediction, its number of classes is another, or a count is not finite.
    """
    fields = to_dict(sample)
    if fields.get('pred_counts') is not None:
        return checked_counts(fields['pred_counts'], 'pred_counts', num_classes)
    if fields.get('pred_density') is not None:
        density = to_numpy(to_dict(fields['pred_density'])['data'])
        return checked_counts(density.sum(axis=(-2, -1)), 'pred_density', num_classes)
    if fields.get('pred_instances') is not None:
        return _instance_counts(fields['pred_instances'], 'pred_instances', num_classes, score_thr)
    raise ValueError(
        f"no prediction; expected 'pred_counts', 'pred_density' or 'pred_instances', found {sorted(fields)}"
    )


def true_counts(sample: Any, num_classes: int | None = None) -> FloatArray:
    """True objects of each class: ``gt_counts``, else the number of ``gt_instances`` or the sum of their ``counts``.

    Shape:
        returns: (C,) objects.

    Raises:
        ValueError: The sample holds no ground truth, its number of classes is another, or a count is not finite.
    """
    fields = to_dict(sample)
    if fields.get('gt_counts') is not None:
        return checked_counts(fields['gt_counts'], 'gt_counts', num_classes)
    if fields.get('gt_instances') is not None:
        return _instance_counts(fields['gt_instances'], 'gt_instances', num_classes, 0.0)
    raise ValueError(
        f"no ground truth; expected 'gt_counts' or 'gt_instances', found {sorted(fields)}. Load the annotations in the "
        'test pipeline too'
    )


def checked_counts(counts: Any, name: str, num_classes: int | None = None) -> FloatArray:
    """Counts of a field as an array.

    Shape:
        returns: (C,) objects.

    Raises:
        ValueError: There is another number of classes, or a count is not finite.
    """
    array = to_numpy(counts).reshape(-1)
    if num_classes is not None and array.size != num_classes:
        raise ValueError(f'{name} has {array.size} classes, expected {num_classes}')
    if not np.isfinite(array).all():
        raise ValueError(f'{name} is not finite: {array.tolist()}')
    return array


def _instance_counts(instances: Any, name: str, num_classes: int | None, score_thr: float) -> FloatArray:
    if num_classes is None:
        num_classes = int(instance_labels(instances).max(initial=0)) + 1
    try:
        return checked_counts(count_instances(instances, num_classes, score_thr), name)
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
