"""Ground truth and results of counted boxes as JSON in COCO's form, with ``count`` beside each box."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcount.utils.atomic import open_atomic
from mmcount.utils.coco_json import parse_box, read_coco
from mmcount.utils.errors import AnnotationError
from mmcount.utils.numbers import parse_count

Arrays = dict[str, NDArray[Any]]


class CountedTruth:
    """The annotations of a COCO-format file, by image.

    A box without ``count`` holds one object, one without ``area`` has that of the box, and ``iscrowd`` marks regions
    that need not be found.

    Args:
        path: The file.

    Attributes:
        categories: Id to name, ascending by id.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: It is malformed; names the record.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        content = read_coco(self.path)
        self.categories = {one['id']: str(one['name']) for one in sorted(content['categories'], key=lambda c: c['id'])}
        self._images = {str(one['id']): one['id'] for one in content['images']}
        rows: dict[int, list[int]] = {}
        annotations = content['annotations']
        self._boxes = np.zeros((len(annotations), 4))
        self._counts, self._areas = np.ones(len(annotations)), np.zeros(len(annotations))
        self._kinds = np.array([one['category_id'] for one in annotations], dtype=np.int64)
        self._crowd = np.array([bool(one.get('iscrowd')) for one in annotations], dtype=bool)
        for index, one in enumerate(annotations):
            rows.setdefault(one['image_id'], []).append(index)
            try:
                self._boxes[index] = parse_box(one.get('bbox'))
                self._areas[index] = one.get('area', self._boxes[index, 2] * self._boxes[index, 3])
                if not self._crowd[index]:
                    self._counts[index] = parse_count(one.get('count', 1))
            except (TypeError, ValueError) as error:
                raise AnnotationError(f'annotations[{index}]: {error}', self.path) from error
        self._rows = {identity: np.array(mine) for identity, mine in rows.items()}

    def category_ids(self, classes: Sequence[str] | None) -> list[int]:
        """Category of each label; without classes all of the file.

        Raises:
            ValueError: A class is no category of the file.
        """
        if classes is None:
            return list(self.categories)
        # A class of Locount ends in a blank in some files and not in others.
        ids = {name.strip(): identity for identity, name in self.categories.items()}
        for name in classes:
            if name.strip() not in ids:
                raise ValueError(f'class {name!r} is none of the {len(ids)} categories of {self.path}')
        return [ids[name.strip()] for name in classes]

    def image_number(self, identity: str) -> int:
        """The id of an image in the file.

        Raises:
            ValueError: The file does not have it.
        """
        if identity not in self._images:
            raise ValueError(f'image {identity!r} is none of the {len(self._images)} images of {self.path}')
        return int(self._images[identity])

    def boxes(self, identity: str, category_ids: Sequence[int]) -> Arrays:
        """``labels``, ``bboxes`` (x, y, width, height), ``counts``, ``areas`` and ``crowd`` of an image.

        Boxes of other categories are left out.

        Raises:
            ValueError: The file does not have the image.
        """
        rows = self._rows.get(self.image_number(identity), np.zeros(0, dtype=np.int64))
        rows = rows[np.isin(self._kinds[rows], np.array(category_ids))]
        order = np.argsort(category_ids)
        labels = order[np.searchsorted(np.array(category_ids)[order], self._kinds[rows])]
        fields = {'bboxes': self._boxes, 'counts': self._counts, 'areas': self._areas, 'crowd': self._crowd}
        return {'labels': labels, **{name: values[rows] for name, values in fields.items()}}


def write_counted_results(
    path: str | Path, images: Iterable[tuple[int | str, Mapping[str, Any]]], category_ids: Sequence[int]
) -> int:
    """Write detections in COCO's form of results, with ``count`` and, if it is known, ``cnt_score``.

    Boxes that are not finite are left out: JSON cannot hold them.

    Args:
        path: The file; it is written whole or not at all.
        images: Id of each image, and its ``labels``, ``bboxes`` (x, y, width, height), ``scores``, ``counts`` and
            optionally ``count_scores``.
        category_ids: Category of each label.

    Returns:
        How many boxes were left out.
    """
    left_out = 0
    with open_atomic(path) as stream:
        separator = '['
        for identity, found in images:
            count_scores = found.get('count_scores')
            for row, box in enumerate(np.asarray(found['bboxes'], dtype=np.float64).tolist()):
                if not all(map(math.isfinite, box)):
                    left_out += 1
                    continue
                count = float(found['counts'][row])
                one: dict[str, Any] = {
                    'image_id': identity,
                    'category_id': int(category_ids[int(found['labels'][row])]),
                    'bbox': box,
                    'score': float(found['scores'][row]),
                    'count': int(count) if count.is_integer() else count,
                }
                if count_scores is not None:
                    one['cnt_score'] = float(count_scores[row])
                stream.write(f'{separator}{json.dumps(one)}')
                separator = ',\n'
        stream.write('[]\n' if separator == '[' else ']\n')
    return left_out
