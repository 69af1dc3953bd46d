"""Annotation files in COCO's format, which data sets, converters and metrics read."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import AnnotationError
from .numbers import Number

# section to the keys that each of its records needs
_RECORDS = {'images': ('id', 'file_name'), 'annotations': ('image_id', 'category_id'), 'categories': ('id', 'name')}


def read_coco(path: str) -> dict[str, Any]:
    """Read a COCO-format file and check what counting needs of it.

    Args:
        path: JSON with ``images``, ``annotations`` and ``categories``.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: It is no JSON or not in this format, an id is used twice, or an annotation belongs to no image
            or no category; the message names the record.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'annotation file {path!r} does not exist')
    try:
        with open(path, encoding='utf-8-sig') as stream:
            content = json.load(stream)
    except json.JSONDecodeError as error:
        raise AnnotationError(f'is no JSON ({error.msg})', path, error.lineno) from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f'is not UTF-8 text ({error.reason})', path) from error
    if not isinstance(content, dict):
        raise AnnotationError(f'holds a {type(content).__name__}, expected an object with {sorted(_RECORDS)}', path)
    for section, keys in _RECORDS.items():
        records = content.get(section)
        if not isinstance(records, list):
            raise AnnotationError(f'has no list {section!r}; it has {sorted(content)}', path)
        for index, record in enumerate(records):
            missing = [key for key in keys if not isinstance(record, dict) or key not in record]
            if missing:
                raise AnnotationError(f'{section}[{index}] lacks {missing}', path)
    for section in ('images', 'categories'):
        _check_ids(content[section], section, path)
    _check_references(content, path)
    return content


def _check_ids(records: Sequence[Mapping[str, Any]], section: str, path: str) -> None:
    seen: set[Any] = set()
    for index, record in enumerate(records):
        if not isinstance(record['id'], int):
            raise AnnotationError(f'{section}[{index}] has the id {record["id"]!r}, expected an integer', path)
        if record['id'] in seen:
            raise AnnotationError(f'{section}[{index}] has the id {record["id"]} of an earlier one', path)
        seen.add(record['id'])


def _check_references(content: Mapping[str, Any], path: str) -> None:
    known = {'image_id': {one['id'] for one in content['images']}}
    known['category_id'] = {one['id'] for one in content['categories']}
    for index, annotation in enumerate(content['annotations']):
        for key, ids in known.items():
            if annotation[key] not in ids:
                raise AnnotationError(
                    f'annotations[{index}] has {key} {annotation[key]!r}, which is none of the {len(ids)} in the file',
                    path,
                )


def parse_box(value: object) -> tuple[Number, Number, Number, Number]:
    """A box, (x, y, width, height): four numbers below 1e15 as they are written, no side below 0.

    Raises:
        ValueError: It is none.

    Example:
        >>> parse_box([1, 2.5, 3, 4])
        (1, 2.5, 3, 4)
    """
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 4 or not all(map(_is_finite, numbers)) or min(numbers[2:]) < 0:
        raise ValueError(f'the bbox is {value!r}, expected x, y, width >= 0, height >= 0')
    x, y, width, height = numbers
    return x, y, width, height


def _is_finite(value: object) -> bool:
    # Far beyond any image, and small enough that sums and areas are finite in every type.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
