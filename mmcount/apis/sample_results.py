"""From the data sample of any counter or detector to the result of its image."""

from typing import Any

import numpy as np
from mmdet.structures.bbox import BaseBoxes

from mmcount.structures.sample_fields import (
    SCORE_THR,
    counted_from,
    instance_labels,
    instance_points,
    instance_weights,
    predicted_counts,
    to_dict,
    to_numpy,
)

from .results import CountResult


def result_from_sample(
    sample: Any,
    image: str,
    classes: tuple[str, ...],
    score_thr: float = SCORE_THR,
    calibrated: bool = False,
    with_density: bool = True,
) -> CountResult:
    """Read the prediction of a data sample: ours or a plain mmdet detector's.

    Args:
        sample: A data sample with a prediction, or its dict.
        image: Name of the image.
        classes: C names.
        score_thr: Lowest score of an instance that counts, where instances are all there is. A model that predicts
            the count itself reports all of its instances.
        calibrated: Count with ``pred_calibrated_counts``.
        with_density: Keep the density, and the masks.

    Raises:
        ValueError: The sample holds no prediction, none that is calibrated, or one of another number of classes.
    """
    fields = to_dict(sample)
    fitted = fields.get('pred_calibrated_counts')
    if calibrated:
        if fitted is None:
            raise ValueError(f'image {image}: the model predicts no calibrated counts; leave calibrated off')
        fields = dict(fields, pred_counts=fitted)
    values = predicted_counts(fields, len(classes), score_thr)
    result = CountResult(image, counts=dict(zip(classes, values.tolist(), strict=True)), calibrated=calibrated)
    if fitted is not None:
        result.calibrated_counts = dict(zip(classes, to_numpy(fitted).reshape(-1).tolist(), strict=True))
        if fields.get('pred_interval') is not None:
            bounds = to_numpy(fields['pred_interval']).reshape(len(classes), 2)
            result.interval = {name: (low, high) for name, (low, high) in zip(classes, bounds.tolist(), strict=True)}
    if fields.get('pred_instances') is not None:
        _read_instances(result, fields['pred_instances'], counted_from(fields, score_thr), with_density)
    if with_density and fields.get('pred_density') is not None:
        density = to_dict(fields['pred_density'])
        result.density = to_numpy(density['data']).astype(np.float32)
        result.extent = density.get('extent')
    result.saturated = bool(fields.get('saturated', False))
    return result


def instances_are_all(sample: Any) -> bool:
    """Whether the instances are the only thing predicted, as by a plain detector."""
    fields = to_dict(sample)
    return fields.get('pred_counts') is None and fields.get('pred_density') is None


def is_at_cap(sample: Any, cap: int | None, score_thr: float) -> bool:
    """Whether as many instances count as the method can give at most.

    Instances below ``score_thr`` fill a detector's list on any image, and are no sign that an object was left out.
    """
    instances = to_dict(sample).get('pred_instances')
    if cap is None or instances is None:
        return False
    scores = to_dict(instances).get('scores')
    counted = len(instance_labels(instances)) if scores is None else int((to_numpy(scores) >= score_thr).sum())
    return counted >= cap


def _read_instances(result: CountResult, instances: Any, score_thr: float, with_masks: bool) -> None:
    fields = to_dict(instances)
    weights = instance_weights(fields, score_thr)
    keep = weights > 0
    boxes = fields.get('bboxes')
    if isinstance(boxes, BaseBoxes):
        boxes = boxes.tensor
    if fields.get('points') is not None or boxes is not None:
        result.points = instance_points(fields)[keep].astype(np.float32)
    if boxes is not None and boxes.shape[-1] >= 4:
        result.boxes = to_numpy(boxes)[keep, :4].astype(np.float32)
    if fields.get('ellipses') is not None:
        result.ellipses = to_numpy(fields['ellipses']).reshape(-1, 4)[keep].astype(np.float32)
    if with_masks and fields.get('masks') is not None:
        masks = fields['masks']
        masks = masks.to_ndarray() if hasattr(masks, 'to_ndarray') else to_numpy(masks)
        result.masks = (masks > 0)[keep]
    result.labels = instance_labels(fields)[keep]
    result.box_counts = weights[keep].astype(np.float32)
    scores = np.ones(len(weights)) if fields.get('scores') is None else to_numpy(fields['scores']).reshape(-1)
    result.scores = scores[keep].astype(np.float32)
