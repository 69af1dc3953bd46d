"""GAME(L), as a metric of the MMEngine runner."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import (
    SCORE_THR,
    counted_from,
    instance_labels,
    instance_points,
    instance_weights,
    to_dict,
    to_numpy,
)

from ..functional.game import Extent, region_density, region_points
from .base import OneRecordMetric, Record

FloatArray = NDArray[np.float64]


@METRICS.register_module()
class GameMetric(OneRecordMetric):
    """Grid average mean absolute error of the predicted density, or of predicted points or boxes.

    Keys ``count/GAME0`` ... are of all classes together: ``GAME0`` is the MAE of ``CountMetric`` wherever the sum of
    the density is the count. With several classes ``count/mGAME0`` ... are the means over classes of the GAME of each
    class, by which confused classes cost; ``count/GAME0_<class>`` ... are those of each class (``classwise``).

    Cholakkal et al., "Object Counting and Instance Segmentation with Image-level Supervision", print GAME(3) of each
    class of VOC 2007; its size fits a mean over the images that hold the class, which is ``images='positive'``.
    Counts are not rounded.

    Ground truth is ``gt_instances`` (points, or centres of boxes, with their ``counts``) in pixels of the original
    image, whose (height, width) is the meta information ``ori_shape``. A map covers the whole image, unless the meta
    information ``extent`` of ``pred_density`` gives (left, top, right, bottom) in pixels.

    Args:
        levels: L of every key; the image is cut into 2^L x 2^L regions.
        images: 'all', or 'positive' to average, for each class, over the images that hold an object of it.
        score_thr: Lowest score of an instance that counts, for detectors, which predict instances and no counts.
        classwise: Report every class of a data set with several.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> metric = GameMetric(levels=(0, 1))
        >>> sample = {'img_id': 'a', 'ori_shape': (4, 4), 'gt_instances': {'points': [[0, 0]], 'labels': [0]},
        ...           'pred_instances': {'points': [[3, 3]], 'labels': [0], 'scores': [0.9]}}
        >>> metric.process({}, [sample])
        >>> metric.evaluate(size=1)
        {'count/GAME0': 0.0, 'count/GAME1': 2.0}
    """

    default_prefix = 'count'

    def __init__(
        self,
        levels: Sequence[int] = (0, 1, 2, 3),
        images: Literal['all', 'positive'] = 'all',
        score_thr: float = SCORE_THR,
        classwise: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not levels or min(levels) < 0:
            raise ValueError(f'levels must be at least one number of 0 or more, got {tuple(levels)}')
        if images not in ('all', 'positive'):
            raise ValueError(f"images must be 'all' or 'positive', got {images!r}")
        self.levels = tuple(levels)
        self.images = images
        self.score_thr = score_thr
        self.classwise = classwise

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the summed errors of the regions of each level, (levels, C + 1), and the true objects, (C,)."""
        if sample.get('ori_shape') is None:
            raise ValueError("no 'ori_shape'; add it to the meta_keys of the packing transform")
        if sample.get('gt_instances') is None:
            raise ValueError("no 'gt_instances' with the places of the objects, which GAME needs")
        height, width = (int(side) for side in sample['ori_shape'][:2])
        num_classes = _num_classes(sample) if self.classes is None else len(self.classes)
        maximum = max(self.levels)
        true = _instance_regions(sample['gt_instances'], num_classes, maximum, (height, width), 0.0)
        if sample.get('pred_density') is not None:
            pred = _density_regions(sample['pred_density'], num_classes, maximum, (height, width))
        elif sample.get('pred_instances') is not None:
            lowest = counted_from(sample, self.score_thr)
            pred = _instance_regions(sample['pred_instances'], num_classes, maximum, (height, width), lowest)
        else:
            raise ValueError("no prediction; expected 'pred_density' or 'pred_instances'")
        difference = pred - true  # (C, 2^L, 2^L)
        errors = np.stack([_regional_errors(difference, maximum - level) for level in self.levels])
        return {'errors': errors, 'true': true.sum(axis=(1, 2))}

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the means over images."""
        errors = np.stack([one['errors'] for one in records])  # (T, levels, C + 1), the last is the total
        true = np.stack([np.append(one['true'], one['true'].sum()) for one in records])
        kept = true > 0 if self.images == 'positive' else np.ones_like(true, dtype=bool)
        images = kept.sum(axis=0)
        with np.errstate(invalid='ignore'):
            means = (errors * kept[:, None]).sum(axis=0) / images
        names = self.classes or tuple(str(index) for index in range(true.shape[1] - 1))
        metrics = {}
        for level, mean in zip(self.levels, means, strict=True):
            if images[-1]:
                metrics[f'GAME{level}'] = float(mean[-1])
            if len(mean) > 2 and images[:-1].any():
                metrics[f'mGAME{level}'] = float(mean[:-1][images[:-1] > 0].mean())
            if len(mean) > 2 and self.classwise:
                # A class that no image holds has no mean over the images that hold it.
                for index in np.flatnonzero(images[:-1]):
                    metrics[f'GAME{level}_{names[index]}'] = float(mean[index])
        return metrics


def _num_classes(fields: Mapping[str, Any]) -> int:
    if fields.get('pred_density') is not None:
        return int(to_numpy(to_dict(fields['pred_density'])['data']).shape[0])
    labels = [instance_labels(fields[key]) for key in ('gt_instances', 'pred_instances') if fields.get(key) is not None]
    counts = fields.get('gt_counts')
    return max(int(np.concatenate(labels).max(initial=0)) + 1, 0 if counts is None else to_numpy(counts).size)


def _density_regions(density: Any, num_classes: int, level: int, img_shape: tuple[int, int]) -> FloatArray:
    fields = to_dict(density)
    data = to_numpy(fields['data'])
    if data.ndim != 3 or len(data) != num_classes:
        raise ValueError(f'pred_density must be ({num_classes}, h, w), got shape {data.shape}')
    if not np.isfinite(data).all():
        raise ValueError('pred_density is not finite')
    extent: Extent | None = fields.get('extent')
    return np.stack([region_density(one, level, img_shape, extent) for one in data])


def _instance_regions(
    instances: Any, num_classes: int, level: int, img_shape: tuple[int, int], score_thr: float
) -> FloatArray:
    labels, weights = instance_labels(instances), instance_weights(instances, score_thr)
    if not labels.size:
        return np.zeros((num_classes, 2**level, 2**level))
    if not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f'labels must be in 0..{num_classes - 1}, got {labels.min()}..{labels.max()}')
    points = instance_points(instances)
    return np.stack(
        [
            region_points(points[labels == label], level, img_shape, weights[labels == label])
            for label in range(num_classes)
        ]
    )


def _regional_errors(difference: FloatArray, coarser: int) -> FloatArray:
    """Summed |error| of each class and of their total, after 2^coarser x 2^coarser regions are merged into one.

    Merging the finest grid is exact, because every grid is nested in the next.

    Shape:
        difference: (C, 2^L, 2^L) -> (C + 1,).
    """
    num_classes, side = difference.shape[0], difference.shape[1] >> coarser
    merged = difference.reshape(num_classes, side, 1 << coarser, side, 1 << coarser).sum(axis=(2, 4))
    return np.append(np.abs(merged).sum(axis=(1, 2)), np.abs(merged.sum(axis=0)).sum())
