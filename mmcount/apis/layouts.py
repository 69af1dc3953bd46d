"""Layouts of a result: rows of tables, JSON and COCO."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mmcount.utils.cells import safe_cell
from mmcount.version import __version__

from .results import CountResult, round_count

COUNT_COLUMNS = (
    'image',
    'class',
    'region',
    'count',
    'count_float',
    'lo',
    'hi',
    'saturated',
    'width',
    'height',
    'area_px',
    'model',
    'weights_sha256',
    'version',
    'error',
)
OBJECT_COLUMNS = ('image', 'class', 'x', 'y', 'score', 'x1', 'y1', 'x2', 'y2', 'count_in_box')

#: The region of a row that counts all of an image.
WHOLE_IMAGE = 'whole'


def _number(value: float, digits: int = 4) -> str:
    return f'{float(value):.{digits}f}'


def count_rows(result: CountResult, classes: tuple[str, ...], model: str, weights_sha256: str) -> list[list[Any]]:
    """One row per class; those of a failed image have an ``error`` and no count.

    ``count`` of a row is the class's own count, rounded once, so rows need not add up to the rounded total.

    Shape:
        returns: C rows of :data:`COUNT_COLUMNS`.
    """
    size = [result.width, result.height, result.width * result.height] if result.width and result.height else [''] * 3
    rows = []
    for name in classes:
        numbers = [''] * 5
        if result.error is None:
            bounds = ['', '']
            # An interval lies around the calibrated count: beside a raw one it would mislead.
            if result.calibrated and result.interval is not None:
                bounds = [_number(bound) for bound in result.interval[name]]
            value = result.counts[name]
            numbers = [str(round_count(value)), _number(value), *bounds, 'true' if result.saturated else 'false']
        error = safe_cell(' '.join((result.error or '').split()))
        texts = safe_cell(result.image), safe_cell(name), WHOLE_IMAGE
        rows.append([*texts, *numbers, *size, safe_cell(model), weights_sha256, __version__, error])
    return rows


def object_rows(result: CountResult, classes: tuple[str, ...]) -> list[list[Any]]:
    """One row of :data:`OBJECT_COLUMNS` per object with a position; corners are empty where there is no box."""
    rows = []
    for index, point in enumerate(result.points):
        box = [''] * 4 if result.boxes is None else [_number(value, 2) for value in result.boxes[index]]
        rows.append(
            [
                safe_cell(result.image),
                safe_cell(classes[int(result.labels[index])]),
                *(_number(value, 2) for value in point),
                _number(result.scores[index], 6),
                *box,
                f'{float(result.box_counts[index]):g}',
            ]
        )
    return rows


def json_list(results: Callable[[], Iterator[dict]]) -> Iterator[str]:
    """A list with one result in each line, in pieces."""
    yield from _listed(json.dumps(one) for one in results())
    yield '\n'


def coco_document(results: Callable[[], Iterator[dict]], classes: tuple[str, ...], info: dict) -> Iterator[str]:
    """Images, categories and annotations in the layout of COCO, in pieces.

    Every object has its point as the one keypoint of its category, and its box if it has one. A failed image is no
    image without objects: it stands under ``info.failed``.

    Args:
        results: Gives the dicts of the results, as often as it is called.
        classes: C names; category 1 is the first.
        info: What stands under ``info``.
    """
    failed = [dict(file_name=one['image'], error=one['error']) for one in results() if one['error'] is not None]
    categories = [
        dict(id=number, name=name, keypoints=['point'], skeleton=[]) for number, name in enumerate(classes, start=1)
    ]
    yield f'{{"info": {json.dumps(info | dict(failed=failed))},\n"categories": {json.dumps(categories)},\n"images": '
    yield from _listed(json.dumps(image) for image, _ in _coco_images(results()))
    yield ',\n"annotations": '
    yield from _listed(json.dumps(one) for _, objects in _coco_images(results()) for one in objects)
    yield '}\n'


def _coco_images(results: Iterator[dict]) -> Iterator[tuple[dict, list[dict]]]:
    next_object = 1
    counted = (one for one in results if one['error'] is None)
    for image_id, one in enumerate(counted, start=1):
        keys = ('width', 'height', 'counts', 'calibrated_counts', 'interval', 'saturated')
        image = dict(id=image_id, file_name=one['image'], **{key: one[key] for key in keys})
        objects = []
        for index, (x, y) in enumerate(one['points']):
            item = dict(
                id=next_object,
                image_id=image_id,
                category_id=one['labels'][index] + 1,
                score=one['scores'][index],
                count=one['box_counts'][index],
                keypoints=[x, y, 2],
                num_keypoints=1,
                iscrowd=0,
            )
            if one['boxes'] is not None:
                left, top, right, bottom = one['boxes'][index]
                item |= dict(bbox=[left, top, right - left, bottom - top], area=(right - left) * (bottom - top))
            objects.append(item)
            next_object += 1
        yield image, objects


def _listed(texts: Iterable[str]) -> Iterator[str]:
    start = '[\n'
    for text in texts:
        yield start + text
        start = ',\n'
    yield '[]' if start == '[\n' else '\n]'
