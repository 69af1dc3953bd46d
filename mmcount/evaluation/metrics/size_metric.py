"""Errors of predicted sizes, as a metric of the MMEngine runner."""

from collections.abc import Mapping
from typing import Any

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import to_dict, to_numpy

from ..functional.scale import score_sizes, size_errors
from .base import OneRecordMetric, Record


@METRICS.register_module()
class SizeMetric(OneRecordMetric):
    """Errors of boxes that were predicted at the places of the true objects, such as those of a scale network.

    Keys, below ``size/``: ``log_area_MAE``, the mean absolute error of the natural logarithm of a box's area (0.1 is
    5 % of the side); ``log_area_bias``, the mean error, positive where boxes are too large; ``mIoU``, the mean overlap
    of predicted and true boxes. Means are over objects. Box i of ``pred_instances`` belongs to box i of
    ``gt_instances``, as a :class:`mmcount.models.ScaleMapHead` gives them; nothing is matched.

    Args:
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: A sample has no boxes, or not as many predicted as true ones.

    Example:
        >>> metric = SizeMetric()
        >>> boxes = {'gt_instances': {'bboxes': [[0, 0, 8, 8]]}, 'pred_instances': {'bboxes': [[0, 0, 8, 4]]}}
        >>> sample = {'img_id': 'a', **boxes}
        >>> metric.process({}, [sample])
        >>> {key: round(value, 3) for key, value in metric.evaluate(size=1).items()}
        {'size/log_area_MAE': 0.693, 'size/log_area_bias': -0.693, 'size/mIoU': 0.5}
    """

    default_prefix = 'size'

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Compare the boxes of an image."""
        boxes = {}
        for name in ('pred_instances', 'gt_instances'):
            instances = sample.get(name)
            found = None if instances is None else to_dict(instances).get('bboxes')
            if found is None:
                raise ValueError(f"{name} have no 'bboxes' to compare")
            boxes[name] = to_numpy(found)
        return score_sizes(boxes['pred_instances'], boxes['gt_instances'])

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Pool the records."""
        return size_errors(records)
