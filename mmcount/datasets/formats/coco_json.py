"""COCO's annotation files, and the two ways in which its validation images were halved for counting."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mmcount.utils.errors import AnnotationError

from .numbers import Number
from .tables import read_image_list

SPLIT_RULES = ('cev', 'countseg')
HALVES = ('val', 'test')

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
        with open(path, encoding='utf-8') as stream:
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


def image_order(content: Mapping[str, Any], rule: str | None) -> list[int]:
    """Order the images as a split rule does; under 'countseg' images without annotation are left out.

    Args:
        content: From :func:`read_coco`.
        rule: None for the order of the file; 'cev' for ascending ids (Chattopadhyay et al., Counting Everyday Objects
            in Everyday Scenes, CVPR 2017); 'countseg' for the order in which ids first appear among the annotations
            (Cholakkal et al., CVPR 2019, as released).

    Returns:
        Image ids.

    Example:
        >>> content = dict(images=[dict(id=2), dict(id=1), dict(id=3)])
        >>> content['annotations'] = [dict(image_id=3), dict(image_id=2), dict(image_id=3)]
        >>> image_order(content, None), image_order(content, 'cev'), image_order(content, 'countseg')
        ([2, 1, 3], [1, 2, 3], [3, 2])
    """
    if rule not in (None, *SPLIT_RULES):
        raise ValueError(f'split_rule must be None or one of {SPLIT_RULES}, got {rule!r}')
    if rule == 'countseg':
        return list(dict.fromkeys(annotation['image_id'] for annotation in content['annotations']))
    ids = [image['id'] for image in content['images']]
    return sorted(ids) if rule == 'cev' else ids


def half_of(ids: Sequence[int], half: str) -> list[int]:
    """The first half of ids, rounded down, for 'val'; the others for 'test'.

    Example:
        >>> half_of([5, 6, 7], 'val'), half_of([5, 6, 7], 'test')
        ([5], [6, 7])
    """
    if half not in HALVES:
        raise ValueError(f'val_half must be one of {HALVES}, got {half!r}')
    middle = len(ids) // 2
    return list(ids[:middle] if half == 'val' else ids[middle:])


def read_id_list(path: str, known: Sequence[int]) -> list[int]:
    """Read image ids, one per line.

    Args:
        path: The list.
        known: The ids that there are.

    Raises:
        FileNotFoundError: The list does not exist.
        AnnotationError: A line is no id of a known image, or repeats one.
    """
    there = set(known)
    first_lines: dict[int, int] = {}
    for name, line in read_image_list(path, 'list of image ids'):
        if not name.isdecimal() or int(name) not in there:
            raise AnnotationError(f'{name!r} is the id of none of the {len(there)} images', path, line)
        earlier = first_lines.setdefault(int(name), line)
        if earlier != line:
            raise AnnotationError(f'image {int(name)} is already on line {earlier}', path, line)
    return list(first_lines)
