"""Write the points of any data set in the common point format, which :class:`PointsCSVDataset` reads."""

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np

from mmcount.datasets.count_dataset import CountDataset
from mmcount.datasets.data_info import total_counts
from mmcount.datasets.formats.images import image_size
from mmcount.datasets.formats.tables import clean_name
from mmcount.utils.atomic import write_atomic
from mmcount.utils.errors import AnnotationError

TABLE_NAME, LIST_NAME = 'points.csv', 'images.txt'

# keys of an image that the table, the list or the image file itself hold
_HELD = {'img_path', 'img_id', 'height', 'width', 'sample_idx', 'num_classes'}
_HELD |= {'points', 'labels', 'counts', 'ignore_flags', 'image_counts'}


@dataclass(frozen=True)
class PointsExport:
    """A data set in the common point format.

    Attributes:
        table: The text of the table ``image,x,y,class``.
        images: The text of the list of images.
        num_images: Images in the list, those without objects too.
        num_points: Rows of the table.
        not_held: What the data set knows and the format has no place for: name to number of images.
        config: The config that reads it back, without paths of table and list.
    """

    table: str
    images: str
    num_images: int
    num_points: int
    not_held: Mapping[str, int]
    config: Mapping[str, Any]

    def write(self, folder: str | os.PathLike) -> dict[str, Any]:
        """Write table and list into a folder, each whole or not at all, and return the config that reads them."""
        table, images = (os.path.join(os.path.abspath(folder), name) for name in (TABLE_NAME, LIST_NAME))
        write_atomic(images, self.images)
        write_atomic(table, self.table)
        return {**self.config, 'ann_file': table, 'images': images}


def export_points(dataset: CountDataset, image_root: str | os.PathLike | None = None) -> PointsExport:
    """Turn a data set into the common point format.

    Every image is listed, so those without objects stay zero. Coordinates keep every bit of their float32 values,
    those outside of the image too. An object that counts n becomes n points. Ignored objects are left out, as the
    format has no mark for them; they, boxes and whatever else is known of an image are named in ``not_held``.

    Args:
        dataset: Any :class:`CountDataset` of image files, with points or boxes.
        image_root: The folder that image names are relative to; by default the ``data_root`` of the data set.

    Raises:
        ValueError: An image is no file below ``image_root``, its name cannot be written, it has no annotation, or
            only its counts are known; the message names it.

    Example:
        >>> import tempfile, cv2
        >>> root = tempfile.mkdtemp()
        >>> _ = cv2.imwrite(f'{root}/a.png', np.zeros((8, 8, 3), np.uint8))
        >>> infos = [dict(img_path=f'{root}/a.png', img_id='a', points=[[2, 3.5]], labels=[0])]
        >>> export = export_points(CountDataset(data_list=infos, metainfo=dict(classes=('cell',))), root)
        >>> print(export.table)
        image,x,y,class
        a.png,2,3.5,cell
        <BLANKLINE>
    """
    root = os.path.abspath(image_root if image_root is not None else dataset.data_root or '.')
    classes = dataset.metainfo['classes']
    stream = io.StringIO(newline='')
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(('image', 'x', 'y', 'class'))
    names: list[str] = []
    not_held: dict[str, int] = {}
    num_points, all_inside = 0, True
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        names.append(name_below(info, root))
        points, labels = _counted_points(info, dataset)
        rows = zip(*(map(shortest_decimal, axis) for axis in points.T), labels.tolist(), strict=True)
        writer.writerows((names[-1], x, y, classes[label]) for x, y, label in rows)
        num_points += len(points)
        height, width = (info['height'], info['width']) if 'height' in info else image_size(info['img_path'])
        all_inside &= bool(((points >= -0.5) & (points < np.array([width, height]) - 0.5)).all())
        for key in _left_out(info, points, labels, len(classes)):
            not_held[key] = not_held.get(key, 0) + 1
    doubled = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if doubled:
        raise ValueError(f'image {doubled[0]!r} is in the data set more than once, which the list of images cannot say')
    config = dict(
        type='mmcount.PointsCSVDataset',
        data_root=root,
        check_bounds=all_inside,
        metainfo=dict(classes=classes, palette=dataset.metainfo['palette']),
    )
    images = ''.join(f'{name}\n' for name in names)
    return PointsExport(stream.getvalue(), images, len(names), num_points, not_held, config)


def shortest_decimal(value: np.float32) -> str:
    """The shortest decimal number that is read as the same float32."""
    return str(value).removesuffix('.0')


def name_below(info: Mapping[str, Any], root: str) -> str:
    """The name of an image in a table: its path below a folder, with forward slashes.

    Raises:
        ValueError: The image is no file below the folder, or its name cannot be written.
    """
    path = info.get('img_path')
    if path is None:
        raise ValueError(f'image {info["img_id"]!r} is no file: the point format names files')
    name = PurePath(os.path.relpath(os.path.abspath(path), root)).as_posix()
    if name.startswith('../') or os.path.isabs(name):
        raise ValueError(f'image {path!r} is not below {root!r}; give a folder that holds all images')
    if clean_name(name) != name or len(name.splitlines()) != 1:
        raise ValueError(f'the name of image {path!r} cannot be written into a table: it has odd blanks or backslashes')
    return name


def _counted_points(info: Mapping[str, Any], dataset: CountDataset) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) float32 and labels (N,) of what counts."""
    if info.get('points') is None:
        known = 'only the counts of the whole image are known' if 'image_counts' in info else 'it has no annotation'
        raise AnnotationError(f'has no points to write ({known})', info['img_path'])
    repeats = np.array(info.get('counts', np.ones(len(info['points']), dtype=np.int64)))
    repeats[np.asarray(info.get('ignore_flags', np.zeros(len(repeats))), dtype=bool)] = 0
    index = np.repeat(np.arange(len(repeats)), repeats)
    return info['points'].astype(np.float32)[index], info['labels'][index]


def _left_out(info: Mapping[str, Any], points: np.ndarray, labels: np.ndarray, num_classes: int) -> list[str]:
    """Name what the format has no place for."""
    left_out = [key for key, value in info.items() if key not in _HELD and value is not None]
    if np.any(info.get('ignore_flags', False)):
        left_out.append('ignored objects')
    if (np.bincount(labels, minlength=num_classes) != total_counts(info, num_classes)).any():
        left_out.append('image_counts that differ from the objects')
    return left_out
