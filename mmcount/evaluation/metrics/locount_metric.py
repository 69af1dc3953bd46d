"""AP_lc of boxes with counts, as a metric of the MMEngine runner."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger, print_log
from numpy.typing import NDArray
from terminaltables import AsciiTable

from mmcount.registry import METRICS
from mmcount.structures.sample_fields import instance_labels, instance_weights, to_dict, to_numpy

from ..functional.box_grid import DetectedBoxes, TrueBoxes
from ..functional.locount import COUNT_RULES, CountRule, LocountScores, locount_scores
from .base import OneRecordMetric, Record
from .locount_files import Arrays, CountedTruth, write_counted_results


@METRICS.register_module()
class LocountMetric(OneRecordMetric):
    """Average precision of boxes with counts, by the protocol of Locount, and of the boxes alone by COCO's.

    ===========================================  ===================================================================
    key (after ``locount/``)                     meaning
    ===========================================  ===================================================================
    ``AP_lc``                                    mean AP of all 10 x 10 pairs of an IoU and a count threshold
    ``AP_lc_50``, ``AP_lc_75``                   AP where both thresholds are 0.5, or 0.75
    ``AR_lc_150``                                mean recall of at most 150 detections of a class in an image
    ``AP_lc_SS``, ``_MS``, ``_LS``; ``AR_lc_*``  boxes with a root of the area up to 150 px, to 300 px, above
    ``AP_lc_IN``, ``_MN``, ``_LN``; ``AR_lc_*``  boxes that hold one object, 2 to 10, more
    ``AP``, ``AP_50``, ``AP_75``, ``AR_150``     COCO's numbers of the boxes, whatever their counts
    ``count_MAE``, ``count_bias``                mean error of the counts of boxes found at an IoU of 0.5, absolute
                                                 and signed (above 0: too many), objects
    ``AP_lc_<class>`` ...                        of each class that occurs (``classwise``); a table is logged, too
    ===========================================  ===================================================================

    Cai et al., "Rethinking Object Detection in Retail Stores", AAAI 2021; see
    :func:`mmcount.evaluation.functional.locount_scores`. A key is left out if there is nothing to average.

    Predictions are the ``bboxes`` (xyxy), ``labels``, ``scores`` and ``counts`` of ``pred_instances``, in pixels of the
    original image. Without ``counts``, as from any detector of mmdet, each box holds one object. Ground truth comes
    from a file, or from the samples: ``instances`` of the meta information, as mmdet's loader makes them, in which a
    ``count`` may stand beside ``bbox``, or else ``gt_instances`` with ``ignored_instances``, again in pixels of the
    original image: load annotations after the image was resized. Ignored instances are COCO's crowds.

    Args:
        ann_file: COCO-format JSON whose annotations may have a ``count``; None takes the ground truth of the samples.
        max_dets: Detections of one class in one image that are taken, the best scored.
        count_rule: Which detections that match nothing are wrong in IN, MN and LN: 'predicted', those whose own count
            is in the range, in analogy to areas; or 'any'.
        classwise: Report every class.
        outfile_prefix: Write all detections to ``<prefix>.bbox.json``, in COCO's form with ``count`` and
            ``cnt_score``. Boxes that are not finite, which match nothing, are left out: JSON cannot hold them.
        collect_device: As in MMEngine.
        prefix: First part of the keys.

    Raises:
        FileNotFoundError: ``ann_file`` does not exist.
        AnnotationError: It is malformed; names the record.
        ValueError: An option is out of range.

    Example:
        >>> metric = LocountMetric()
        >>> box = [[0, 0, 200, 200]]
        >>> metric.process({}, [{'img_id': 'a', 'gt_instances': {'bboxes': box, 'labels': [0], 'counts': [4]},
        ...                      'pred_instances': {'bboxes': box, 'labels': [0], 'scores': [0.9], 'counts': [3]}}])
        >>> metrics = metric.evaluate(size=1)
        >>> {key: round(metrics[f'locount/{key}'], 3) for key in ('AP_lc', 'AP_lc_75', 'AP', 'count_bias')}
        {'AP_lc': 0.6, 'AP_lc_75': 1.0, 'AP': 1.0, 'count_bias': -1.0}
    """

    default_prefix = 'locount'

    def __init__(
        self,
        ann_file: str | None = None,
        max_dets: int = 150,
        count_rule: CountRule = 'predicted',
        classwise: bool = False,
        outfile_prefix: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if max_dets < 1:
            raise ValueError(f'max_dets must be at least 1, got {max_dets}')
        if count_rule not in COUNT_RULES:
            raise ValueError(f'count_rule must be one of {COUNT_RULES}, got {count_rule!r}')
        self.truth = None if ann_file is None else CountedTruth(ann_file)
        self.max_dets = max_dets
        self.count_rule: CountRule = count_rule
        self.classwise = classwise
        self.outfile_prefix = outfile_prefix

    def uses_annotations_of(self, sample: Mapping[str, Any]) -> bool:
        """Not if the ground truth comes from ``ann_file``, or from ``instances`` that no transform changes."""
        return self.truth is None and sample.get('instances') is None

    def record(self, sample: Mapping[str, Any]) -> Record:
        """Keep the predicted and true boxes of an image."""
        record = {'pred': self._predictions(sample), 'true': self._truth(sample)}
        _check(record['pred'], record['true'], self._num_classes())
        return record

    def _predictions(self, sample: Mapping[str, Any]) -> Arrays:
        if sample.get('pred_instances') is None:
            raise ValueError(f"no 'pred_instances'; the sample has {sorted(sample)}")
        instances = to_dict(sample['pred_instances'])
        found = _boxes(instances)
        del found['areas']
        if instances.get('scores') is None:
            raise ValueError(f"pred_instances have no 'scores'; they have {sorted(instances)}")
        found['scores'] = _narrow(to_numpy(instances['scores']).reshape(-1))
        if self.outfile_prefix is not None and instances.get('count_scores') is not None:
            found['count_scores'] = _narrow(to_numpy(instances['count_scores']).reshape(-1))
        return found

    def _num_classes(self) -> int | None:
        """C of the data set, or else of the file; None if neither is given."""
        if self.classes is not None:
            return len(self.classes)
        return None if self.truth is None else len(self.truth.categories)

    def _truth(self, sample: Mapping[str, Any]) -> Arrays:
        if self.truth is not None:
            return self.truth.boxes(str(sample['img_id']), self.truth.category_ids(self.classes))
        if sample.get('instances') is not None:
            return _listed_boxes(sample['instances'])
        if sample.get('gt_instances') is None:
            raise ValueError(
                f"no ground truth: expected 'gt_instances' or 'instances', found {sorted(sample)}. Load the "
                'annotations in the test pipeline too, or give LocountMetric an ann_file'
            )
        parts = [_boxes(to_dict(sample['gt_instances']))]
        if sample.get('ignored_instances') is not None:
            parts.append(_boxes(to_dict(sample['ignored_instances'])))
        sizes = [len(part['labels']) for part in parts]
        joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        return {**joined, 'crowd': np.arange(sum(sizes)) >= sizes[0]}

    def merge(self, gathered: list[Record]) -> list[Record]:
        """One record per image, in the order of COCO's code.

        Padded shards repeat images, whose detections may differ by a box or two if the batch differs: one record is as
        good as the other, but the choice must not depend on the order of arrival.
        """
        kept: dict[str, Record] = {}
        for record in gathered:
            other = kept.setdefault(record['img_id'], record)
            if record is not other:
                if not _equal(record['true'], other['true']):
                    raise ValueError(f"image '{record['img_id']}' has two different ground truths")
                kept[record['img_id']] = min(record, other, key=lambda one: _bytes(one['pred']))
        return sorted(kept.values(), key=_image_order)

    def compute(self, records: list[Record]) -> dict[str, float]:
        """Compute the metrics of the boxes of all images, and write the results."""
        if self.outfile_prefix is not None:
            self._write(records)
        pred = _table([one['pred'] for one in records], ('labels', 'bboxes', 'scores', 'counts'))
        true = _table([one['true'] for one in records], ('labels', 'bboxes', 'counts', 'areas', 'crowd'))
        detections, truth = DetectedBoxes(**pred), TrueBoxes(**true)
        number = self._num_classes()
        if number is None:
            number = 1 + max(detections.labels.max(initial=-1), truth.labels.max(initial=-1))
        scores = locount_scores(
            detections, truth, max(int(number), 1), max_dets=self.max_dets, count_rule=self.count_rule
        )
        if not len(truth):
            print_log('no ground truth at all: LocountMetric has nothing to report', 'current', logging.WARNING)
        elif not len(detections):
            print_log('no detection at all: every precision is 0', 'current', logging.WARNING)
        metrics = scores.metrics()
        if self.classwise:
            metrics |= self._classwise(scores)
        return metrics

    def _classwise(self, scores: LocountScores) -> dict[str, float]:
        keys = ['AP_lc', 'AP_lc_50', 'AP_lc_75', f'AR_lc_{self.max_dets}', 'AP', 'count_MAE', 'count_bias']
        rows = [['class', *keys]]
        metrics: dict[str, float] = {}
        for label in range(len(scores.lc.ap)):
            name = str(label) if self.classes is None else self.classes[label].strip()
            mine = scores.of_class(label)
            rows.append([name, *('-' if math.isnan(mine[key]) else f'{mine[key]:.4f}' for key in keys)])
            metrics |= {f'{key}_{name}': mine[key] for key in keys}
        print_log(f'\n{AsciiTable(rows).table}', MMLogger.get_current_instance())
        return metrics

    def _write(self, records: list[Record]) -> None:
        if self.truth is None:
            number = len(self.classes or ()) or 1 + max(
                (int(one['pred']['labels'].max(initial=-1)) for one in records), default=-1
            )
            category_ids: Sequence[int] = range(number)
        else:
            category_ids = self.truth.category_ids(self.classes)
        images = [(self._image_number(one['img_id']), one['pred']) for one in records]
        path = f'{self.outfile_prefix}.bbox.json'
        left_out = write_counted_results(path, images, category_ids)
        if left_out:
            print_log(f'{left_out} boxes that are not finite are left out of {path}', 'current', logging.WARNING)

    def _image_number(self, identity: str) -> int | str:
        if self.truth is not None:
            return self.truth.image_number(identity)
        return int(identity) if identity.isdecimal() and str(int(identity)) == identity else identity


def _narrow(values: NDArray[np.float64]) -> NDArray[Any]:
    """In float32, where that holds the same numbers: records of a whole data set are kept."""
    narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values, equal_nan=True) else values


def _boxes(instances: Mapping[str, Any]) -> Arrays:
    labels = instance_labels(instances)
    if not len(labels):
        return _no_boxes()
    if instances.get('bboxes') is None:
        raise ValueError(f"instances have no 'bboxes'; they have {sorted(instances)}")
    corners = to_numpy(instances['bboxes'])
    if corners.ndim != 2 or corners.shape[1] < 4 or len(corners) != len(labels):
        raise ValueError(f"'bboxes' must be ({len(labels)}, 4), found {corners.shape}")
    counts = instance_weights({key: value for key, value in instances.items() if key != 'scores'})
    return _arrays(labels, corners[:, :4], counts)


def _no_boxes() -> Arrays:
    return _arrays(np.zeros(0, dtype=np.int64), np.zeros((0, 4)), np.zeros(0))


def _arrays(labels: NDArray[np.int64], corners: NDArray[np.float64], counts: NDArray[np.float64]) -> Arrays:
    with np.errstate(invalid='ignore'):  # infinite boxes of untrained detectors
        boxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1)
        areas = boxes[:, 2] * boxes[:, 3]
    return {'labels': labels.astype(np.int32), 'bboxes': _narrow(boxes), 'counts': _narrow(counts), 'areas': areas}


def _listed_boxes(instances: Sequence[Mapping[str, Any]]) -> Arrays:
    """Ground truth as mmdet's loader lists it: ``bbox`` xyxy, ``bbox_label``, ``ignore_flag`` and maybe ``count``."""
    crowd = np.array([bool(one.get('ignore_flag', 0)) for one in instances], dtype=bool)
    if not len(instances):
        return {**_no_boxes(), 'crowd': crowd}
    labels = np.array([one['bbox_label'] for one in instances], dtype=np.int64)
    corners = np.array([one['bbox'] for one in instances], dtype=np.float64)
    counts = np.array([one.get('count', 1) for one in instances], dtype=np.float64)
    return {**_arrays(labels, corners, counts), 'crowd': crowd}


def _check(pred: Arrays, true: Arrays, num_classes: int | None) -> None:
    """Refuse now what the computation would refuse after the last image."""
    for name, part in (('pred_instances', pred), ('ground truth', true)):
        labels = part['labels']
        limit = math.inf if num_classes is None else num_classes
        if labels.size and not 0 <= labels.min() <= labels.max() < limit:
            raise ValueError(f'labels of {name} are in {labels.min()}..{labels.max()}, expected 0..{limit - 1}')
    try:
        images = np.zeros(len(pred['labels']), dtype=np.int64)
        DetectedBoxes(images, pred['labels'], pred['bboxes'], pred['scores'], pred['counts'])
    except ValueError as error:
        raise ValueError(f'pred_instances: {error}') from error
    try:
        images = np.zeros(len(true['labels']), dtype=np.int64)
        TrueBoxes(images, true['labels'], true['bboxes'], true['counts'], true['areas'], true['crowd'])
    except ValueError as error:
        raise ValueError(f'ground truth: {error}') from error


def _table(parts: Sequence[Arrays], names: Sequence[str]) -> dict[str, Any]:
    """Boxes of all images one after another, with the number of the image of each."""
    sizes = [len(part['labels']) for part in parts]
    joined = {name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0) for name in names}
    return {'images': np.repeat(np.arange(len(parts)), sizes), **joined}


def _image_order(record: Record) -> tuple[int, int, str]:
    """Ids that are numbers ascend as numbers, as with COCO's code."""
    identity = record['img_id']
    return (0, int(identity), identity) if identity.isdecimal() else (1, 0, identity)


def _equal(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


def _bytes(arrays: Arrays) -> bytes:
    return b''.join(arrays[key].tobytes() for key in sorted(arrays))
