"""Counted boxes for detectors, from any COCO-format file."""

import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from .coco import COCOCounts
from .crowd.checks import Findings

ERROR_RULES = ('raise', 'skip')

SMALL = 'boxes under one pixel, left out'
OUTSIDE = 'boxes outside of their image, left out'
WRONG = 'bad records, left out'
EMPTY = 'images without boxes, left out'
SHORT = 'images with a side under min_size, left out'


def unusable_boxes(boxes: np.ndarray, img_shape: tuple[float, float], areas: np.ndarray | None = None) -> dict:
    """Find the boxes that a detector cannot learn from, and why.

    The rules are those of COCO detection data sets in MMDetection.

    Args:
        boxes: (N, 4) xyxy, px.
        img_shape: (height, width), px; infinite where unknown.
        areas: (N,) annotated areas in px^2, where there are any; NaN where an object has none.

    Returns:
        Reason to (N,) bool; a box is in the first one that fits.

    Example:
        >>> found = unusable_boxes(np.array([[0, 0, 9, 9], [3, 3, 3.5, 9], [20, 0, 30, 5]]), (10, 10))
        >>> {reason: hit.tolist() for reason, hit in found.items()}
        {'boxes under one pixel, left out': [False, True, False],
         'boxes outside of their image, left out': [False, False, True]}
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    small = (sides < 1).any(axis=1)
    if areas is not None:
        small |= areas <= 0
    limits = np.array([img_shape[1], img_shape[0]], dtype=np.float64)
    shown = np.minimum(boxes[:, 2:], limits) - np.maximum(boxes[:, :2], 0)
    return {SMALL: small, OUTSIDE: ~small & (shown <= 0).any(axis=1)}


@DATASETS.register_module()
class CountedCocoDataset(COCOCounts):
    """Any COCO-format file whose annotations may have a ``count``, as a data set for detectors.

    A box without ``count`` is one object. Load with ``LoadCountAnnotations(geometry='counted_bboxes')``: the count
    then stays with its box through every transform. Boxes that no detector can learn from (narrower or lower than a
    pixel, without area, outside of the image) are left out, as in MMDetection's data sets; ``image_counts`` still are
    the counts of all annotations. What was left out is in :attr:`findings` and in one warning.

    Args:
        ann_file: The JSON file, relative to ``data_root``.
        filter_empty_gt: Leave out images without boxes; for training of detectors that cannot learn from them.
        min_size: Leave out images with a side of less than this, px.
        on_error: 'raise', or 'skip' to leave out annotations with a malformed box or count.
        count_crowd: As in :class:`COCOCounts`, but crowd regions are ignored by default.
        **kwargs: As :class:`COCOCounts`.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The file is malformed; names the record.
        ValueError: An argument is out of range, or nothing is left.

    Example:
        >>> dataset = CountedCocoDataset(  # doctest: +SKIP
        ...     ann_file='train.json', data_root='data/shelves', data_prefix=dict(img='images'), filter_empty_gt=True)
        >>> dataset[0]['counts']  # doctest: +SKIP
        array([ 1, 12,  3])
    """

    def __init__(
        self,
        ann_file: str = '',
        filter_empty_gt: bool = False,
        min_size: int = 0,
        on_error: str = 'raise',
        count_crowd: bool = False,
        **kwargs: Any,
    ) -> None:
        if on_error not in ERROR_RULES:
            raise ValueError(f'on_error must be one of {ERROR_RULES}, got {on_error!r}')
        if min_size < 0:
            raise ValueError(f'min_size must be at least 0 px, got {min_size}')
        self.filter_empty_gt = filter_empty_gt
        self.min_size = min_size
        self.on_error = on_error
        self.findings = Findings()
        super().__init__(ann_file=ann_file, count_crowd=count_crowd, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the file and leave out what no detector can learn from."""
        self.findings = Findings()
        data_list = [info for info in self._read_infos() if self._keeps(info)]
        for line in self.findings.lines():
            print_log(f'{self.ann_file}: {line}', logger='current', level=logging.WARNING)
        return data_list

    def _read_infos(self) -> list[dict]:
        """The images, without boxes that are of no use."""
        return super().load_data_list()

    def _keeps(self, info: Mapping[str, Any]) -> bool:
        name = os.path.basename(info['img_path'])
        if min(info.get('height', np.inf), info.get('width', np.inf)) < self.min_size:
            self.findings.add(SHORT, 1, name)
            return False
        if self.filter_empty_gt and not np.any(~info['ignore_flags']):
            self.findings.add(EMPTY, 1, name)
            return False
        return True

    def _info(self, image: dict, annotations: list[tuple[int, dict]], labels: Mapping[int, int]) -> dict:
        if self.on_error == 'skip':
            annotations = [pair for pair in annotations if self._is_good(*pair)]
        info = super()._info(image, annotations, labels)
        chosen = [(index, one) for index, one in annotations if one['category_id'] in labels]
        if 'bboxes' not in info:
            index = next(index for index, one in chosen if one.get('bbox') is None)
            raise AnnotationError(f'annotations[{index}] has no bbox, which a detector needs', self.ann_file)
        areas = np.array([one.get('area', np.nan) for _, one in chosen], dtype=np.float64)
        return self._cleaned(info, areas)

    def _is_good(self, index: int, annotation: dict) -> bool:
        try:
            self._box(index, annotation.get('bbox'))
            self._count(index, annotation)
        except AnnotationError as error:
            self.findings.add(WRONG, 1, error.message)
            return False
        return True

    def _cleaned(self, info: dict, areas: np.ndarray | None = None) -> dict:
        """Leave out the boxes that are of no use; ``image_counts`` stay."""
        size = info.get('height', np.inf), info.get('width', np.inf)
        keep = np.ones(len(info['bboxes']), dtype=bool)
        for reason, hit in unusable_boxes(info['bboxes'], size, areas).items():
            self.findings.add(reason, int(hit.sum()), os.path.basename(info['img_path']))
            keep &= ~hit
        if keep.all():
            return info
        for key in ('bboxes', 'labels', 'counts', 'ignore_flags'):
            if key in info:
                info[key] = info[key][keep]
        if 'masks' in info:
            info['masks'] = [mask for mask, kept in zip(info['masks'], keep, strict=True) if kept]
        return info
