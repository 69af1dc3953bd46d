"""Locount's text files as one COCO-format file, and back, without loss."""

import json
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from mmcount.datasets.formats.images import image_size
from mmcount.datasets.formats.locount_classes import LOCOUNT_CLASSES
from mmcount.datasets.formats.locount_text import (
    LocountBoxes,
    format_locount,
    list_locount,
    locount_label,
    read_locount,
)
from mmcount.utils.atomic import write_atomic
from mmcount.utils.coco_json import parse_box, read_coco
from mmcount.utils.errors import AnnotationError
from mmcount.utils.numbers import Number, parse_count

T = TypeVar('T')
Progress = Callable[[Sequence[T]], Iterable[T]]

IMG_SHAPE = (1080, 1920)

_IMAGE = re.compile(r'(\d+)\.jpg', re.ASCII)


def locount_to_coco(
    ann_dir: str | os.PathLike,
    image_dir: str | os.PathLike | None = None,
    skipped: list[AnnotationError] | None = None,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Read a folder of Locount's text files into COCO's layout, with a ``count`` for each annotation.

    Images are ordered by id, which is the number in the name of the file; annotations are numbered from 1. An image
    without boxes stays an image. ``bbox`` is [x1, y1, x2 - x1, y2 - y1], ``area`` its product, ``iscrowd`` 0.

    Args:
        ann_dir: Folder with ``<digits>.txt``.
        image_dir: Folder with ``<digits>.jpg``, whose headers give the sizes. Without it images are 1920 x 1080 px,
            as all of Locount are.
        skipped: Gets the errors of bad lines, which then are left out instead of raised.
        progress: Wraps the list of files, to show how far it is.

    Returns:
        ``images``, ``annotations``, ``categories``.

    Raises:
        FileNotFoundError: A folder or an image does not exist.
        AnnotationError: A line is malformed or names an unknown class, or an image cannot be read; the message names
            file and line.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / '0007.txt').write_text('10,20,110,220,Tea,12')
        >>> found = locount_to_coco(folder)['annotations'][0]
        >>> found['image_id'], found['category_id'], found['bbox'], found['count']
        (7, 21, [10, 20, 100, 200], 12)
    """
    images: list[dict] = []
    annotations: list[dict] = []
    for one in progress(list_locount(os.fspath(ann_dir))[0]):
        name = f'{one.stem}.jpg'
        height, width = IMG_SHAPE if image_dir is None else image_size(os.path.join(image_dir, name))
        images.append({'id': one.image_id, 'file_name': name, 'height': height, 'width': width})
        found = read_locount(one.path, skipped)
        for (x1, y1, x2, y2), label, count in zip(found.boxes, found.labels, found.counts, strict=True):
            box = [x1, y1, _minus(x2, x1), _minus(y2, y1)]
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': one.image_id,
                    'category_id': label,
                    'bbox': box,
                    'count': count,
                    'area': box[2] * box[3],
                    'iscrowd': 0,
                }
            )
    categories = [{'id': label, 'name': name} for label, name in enumerate(LOCOUNT_CLASSES)]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def coco_to_locount(path: str | os.PathLike, skipped: list[AnnotationError] | None = None) -> dict[str, str]:
    """Turn a COCO-format file of Locount's classes into the texts of its files.

    Annotations without ``count`` hold one object. What the text files have no place for (sizes of images, masks, own
    ids of categories) is left behind.

    Args:
        path: The JSON file; its images are called ``<digits>.jpg``, after any folders.
        skipped: Gets the errors of bad annotations, which then are left out instead of raised.

    Returns:
        File name to text, one for each image, in the order of the file.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: A category is none of Locount's, an image is called otherwise or like another one, or an
            annotation has a malformed box or count or is a crowd region; the message names the record.
    """
    file = os.fspath(path)
    content = read_coco(file)
    labels = {}
    for index, category in enumerate(content['categories']):
        try:
            labels[category['id']] = locount_label(str(category['name']))
        except ValueError as error:
            raise AnnotationError(f'categories[{index}]: {error}', file) from None
    boxes: dict[int, LocountBoxes] = defaultdict(LocountBoxes)
    for index, annotation in enumerate(content['annotations']):
        try:
            box, count = _corners(annotation), parse_count(annotation.get('count', 1))
        except ValueError as error:
            wrong = AnnotationError(f'annotations[{index}]: {error}', file)
            if skipped is None:
                raise wrong from None
            skipped.append(wrong)
            continue
        found = boxes[annotation['image_id']]
        found.boxes.append(box)
        found.labels.append(labels[annotation['category_id']])
        found.counts.append(count)
    return {name: format_locount(boxes[image_id]) for name, image_id in _file_names(content, file).items()}


def write_coco(content: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Write a JSON file whole or not at all."""
    write_atomic(Path(path), json.dumps(content, separators=(',', ':')) + '\n')


def write_locount(texts: Mapping[str, str], folder: str | os.PathLike, progress: Progress = iter) -> None:
    """Write the files of a folder, all or none.

    Args:
        texts: File name to text.
        folder: Where to; it must not be there yet, or be empty.
        progress: Wraps the list of files, to show how far it is.

    Raises:
        FileExistsError: The folder holds something.
    """
    target = Path(os.path.abspath(folder))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(f'{target} is there already; give a new or an empty folder')
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f'.{target.name}.'))
    try:
        for name, text in progress(list(texts.items())):
            (temporary / name).write_text(text, encoding='utf-8', newline='')
        os.chmod(temporary, 0o755)  # mkdtemp's 0700 would hide the folder from the rest of the group
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _file_names(content: Mapping[str, Any], file: str) -> dict[str, int]:
    """Name of the text file to id of the image."""
    names: dict[str, int] = {}
    for index, image in enumerate(content['images']):
        base = os.path.basename(str(image['file_name']))
        match = _IMAGE.fullmatch(base)
        if match is None or int(match[1]) != image['id']:
            raise AnnotationError(
                f'images[{index}] is {base!r} with the id {image["id"]}, expected <digits>.jpg with the id as its '
                'number',
                file,
            )
        names[f'{match[1]}.txt'] = image['id']
    return names


def _corners(annotation: Mapping[str, Any]) -> tuple[Number, Number, Number, Number]:
    if annotation.get('iscrowd'):
        raise ValueError('is a crowd region, for which the text files have no mark')
    x, y, width, height = parse_box(annotation.get('bbox'))
    return x, y, _plus(x, width), _plus(y, height)


# Whole numbers stay what they are; of others the decimal digits that are written count, not their binary neighbours.
def _plus(one: Number, other: Number) -> Number:
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    return float(Decimal(str(one)) + Decimal(str(other)))


def _minus(one: Number, other: Number) -> Number:
    if isinstance(one, int) and isinstance(other, int):
        return one - other
    return float(Decimal(str(one)) - Decimal(str(other)))
