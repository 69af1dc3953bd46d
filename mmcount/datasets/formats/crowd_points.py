"""Read the heads of one image, or of a list of images, from the files that crowd data sets come in.

One parser per format, without any judgement: coordinates, duplicates and numbers are returned as they are written.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmcount.utils.errors import AnnotationError

from .mat import read_mat

# coordinates are float32 from the data set on
_FLOAT32_MAX = float(np.finfo(np.float32).max)

JHU_COLUMNS = 'x y w h occlusion blur'


@dataclass
class CrowdPoints:
    """The heads of an image, N of them, in the order of the file.

    Attributes:
        points: (N, 2) float64, (x, y) in px.
        bboxes: (N, 4) float64, xyxy, or None where the file has none.
        stated: How many heads the file says there are, which is not always N; None where it does not say.
        attributes: Further arrays with one entry per head.
    """

    points: np.ndarray
    bboxes: np.ndarray | None = None
    stated: int | None = None
    attributes: dict[str, np.ndarray] = field(default_factory=dict)


def number_rows(values: Any, width: int, what: str, file: str) -> np.ndarray:
    """Return rows of numbers as (N, width) float64.

    Args:
        values: Nested sequences or an array; nothing at all, in any shape, is no rows.
        width: Numbers per row.
        what: What messages call a row.
        file: Its file, for messages.

    Raises:
        AnnotationError: A row has another length, or a value is no finite number; names the first such row.

    Example:
        >>> number_rows([[1, 2], [3, 4]], 2, 'point', 'a.json').shape
        (2, 2)
    """
    try:
        rows = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        rows = _rows_one_by_one(values, width, what, file)
    if rows.size == 0:
        return np.zeros((0, width))
    if rows.ndim != 2 or rows.shape[1] != width:
        raise AnnotationError(f'expected the {what}s as (N, {width}), found shape {rows.shape}', file)
    bad = np.flatnonzero(~(np.abs(rows) <= _FLOAT32_MAX).all(axis=1))
    if len(bad):
        raise AnnotationError(f'{what} {bad[0]} is {rows[bad[0]].tolist()}, expected {width} finite numbers', file)
    return rows


def _rows_one_by_one(values: Any, width: int, what: str, file: str) -> np.ndarray:
    """Read row by row, slower, and name the one that is wrong."""
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str):
        raise AnnotationError(f'expected a list of {what}s, found {type(values).__name__}', file)
    rows = []
    for index, row in enumerate(values):
        try:
            one = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError):
            one = np.zeros(0)
        if one.shape != (width,):
            raise AnnotationError(f'{what} {index} is {str(row)[:60]}, expected {width} numbers', file)
        rows.append(one)
    return np.stack(rows) if rows else np.zeros((0, width))


def _load_json(text: str, file: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise AnnotationError(f'is not JSON ({error.msg}, column {error.colno})', file, error.lineno) from error
    except RecursionError as error:
        raise AnnotationError('is not JSON that can be read: it is nested too deep', file) from error


def _whole(value: Any, what: str, file: str) -> int | None:
    """A stated number of heads."""
    if value is None:
        return None
    flat = np.ravel(value)
    if flat.size != 1 or flat.dtype.kind not in 'iuf' or not flat[0] >= 0 or flat[0] % 1:
        raise AnnotationError(f'{what} is {str(value)[:40]}, expected a whole number of heads', file)
    return int(flat[0])


def parse_nwpu_json(text: str, file: str = '') -> CrowdPoints:
    """Parse a file of ``jsons/`` of NWPU-Crowd: ``img_id, human_num, points [[x, y]], boxes [[x1, y1, x2, y2]]``.

    Raises:
        AnnotationError: The text is no such JSON; names the entry.

    Example:
        >>> parse_nwpu_json('{"img_id": "0001.jpg", "human_num": 1, "points": [[5, 6]], "boxes": []}').points.tolist()
        [[5.0, 6.0]]
    """
    content = _load_json(text, file)
    if not isinstance(content, dict) or 'points' not in content:
        found = sorted(content)[:8] if isinstance(content, dict) else type(content).__name__
        raise AnnotationError(f"expected an object with 'points' and 'boxes', found {found}", file)
    boxes = content.get('boxes')
    return CrowdPoints(
        number_rows(content['points'], 2, 'point', file),
        None if boxes is None else number_rows(boxes, 4, 'box', file),
        _whole(content.get('human_num'), 'human_num', file),
    )


def read_annpoints_mat(path: str) -> CrowdPoints:
    """Read ``annPoints`` (N, 2), and ``annBoxes`` (N, 4) where there are any, as in UCF-QNRF and NWPU-Crowd.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: The file has no such variable, or it is malformed.
        ImportError: It needs ``h5py``.
    """
    content = read_mat(path, ('annPoints',))
    boxes = content.get('annBoxes')
    return CrowdPoints(
        number_rows(content['annPoints'], 2, 'annPoints row', path),
        None if boxes is None else number_rows(boxes, 4, 'annBoxes row', path),
    )


def read_shanghaitech_mat(path: str) -> CrowdPoints:
    """Read ``image_info{1}.location`` (N, 2) and ``.number`` of ShanghaiTech.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: The file has no such variable, or it is malformed.
        ImportError: It needs ``h5py``.
    """
    info = read_mat(path, ('image_info',))['image_info']
    while isinstance(info, list) and len(info) == 1:
        info = info[0]
    if not isinstance(info, dict) or 'location' not in info:
        found = sorted(info) if isinstance(info, dict) else type(info).__name__
        raise AnnotationError(f"image_info must be one struct with 'location' and 'number', found {found}", path)
    points = number_rows(info['location'], 2, 'location row', path)
    return CrowdPoints(points, stated=_whole(info.get('number'), 'number', path))


def parse_jhu_txt(text: str, file: str = '') -> CrowdPoints:
    """Parse a file of ``gt/`` of JHU-Crowd++: one head ``x y w h occlusion blur`` a line, (x, y) the centre.

    An empty file is an image without heads. ``attributes`` hold ``occlusions`` (1 visible, 2 partial, 3 full) and
    ``blurs`` (0 or 1).

    Raises:
        AnnotationError: A line is malformed.

    Example:
        >>> heads = parse_jhu_txt('10 20 4 6 1 0')
        >>> heads.points.tolist(), heads.bboxes.tolist(), heads.attributes['occlusions'].tolist()
        ([[10.0, 20.0]], [[8.0, 17.0, 12.0, 23.0]], [1])
    """
    lines = [(line, row.split()) for line, row in enumerate(text.splitlines(), start=1) if row.strip()]
    for line, cells in lines:
        if len(cells) != 6:
            raise AnnotationError(f'{len(cells)} values {cells[:7]}, expected 6: {JHU_COLUMNS}', file, line)
    try:
        rows = np.array([cells for _, cells in lines], dtype=np.float64).reshape(-1, 6)
    except ValueError:
        rows = np.array([[_number(cell, file, line) for cell in cells] for line, cells in lines]).reshape(-1, 6)
    usual = np.isfinite(rows).all(axis=1) & (np.abs(rows) <= _FLOAT32_MAX).all(axis=1) & (rows[:, 2:4] >= 0).all(axis=1)
    usual &= np.isin(rows[:, 4], (1, 2, 3)) & np.isin(rows[:, 5], (0, 1))
    if not usual.all():
        line, cells = lines[int((~usual).argmax())]
        raise AnnotationError(
            f'{" ".join(cells)!r}, expected finite {JHU_COLUMNS} with w, h of at least 0, occlusion 1, 2 or 3, and '
            'blur 0 or 1',
            file,
            line,
        )
    centres, half = rows[:, :2], rows[:, 2:4] / 2
    attributes = {'occlusions': rows[:, 4].astype(np.int64), 'blurs': rows[:, 5].astype(np.int64)}
    return CrowdPoints(centres, np.concatenate([centres - half, centres + half], axis=1), attributes=attributes)


def _number(cell: str, file: str, line: int) -> float:
    try:
        return float(cell)
    except ValueError:
        raise AnnotationError(f'{cell!r} is no number, expected {JHU_COLUMNS}', file, line) from None


def parse_via_json(text: str, file: str = '') -> CrowdPoints:
    """Parse a file of the VGG Image Annotator about one image, as FDST has them: rectangles by their top left corner.

    The point of a head is the middle of its rectangle.

    Raises:
        AnnotationError: The text is no such JSON, or a region is no rectangle; names the region.

    Example:
        >>> region = '{"shape_attributes": {"name": "rect", "x": 2, "y": 4, "width": 6, "height": 8}}'
        >>> parse_via_json('{"001.jpg1": {"filename": "001.jpg", "regions": [' + region + ']}}').points.tolist()
        [[5.0, 8.0]]
    """
    content = _load_json(text, file)
    images = list(content.values()) if isinstance(content, dict) else []
    if len(images) != 1 or not isinstance(images[0], dict) or 'regions' not in images[0]:
        raise AnnotationError(f"expected an object with one image and its 'regions', found {len(images)} entries", file)
    regions = images[0]['regions']
    # older versions of the annotator number the regions
    regions = list(regions.values()) if isinstance(regions, dict) else regions
    if not isinstance(regions, list):
        raise AnnotationError(f"'regions' must be a list, found {type(regions).__name__}", file)
    boxes = number_rows([_rectangle(region, index, file) for index, region in enumerate(regions)], 4, 'region', file)
    boxes[:, 2:] += boxes[:, :2]
    return CrowdPoints((boxes[:, :2] + boxes[:, 2:]) / 2, boxes)


def _rectangle(region: Any, index: int, file: str) -> list:
    shape = region.get('shape_attributes') if isinstance(region, Mapping) else None
    if not isinstance(shape, Mapping) or not {'x', 'y', 'width', 'height'} <= set(shape):
        found = shape.get('name', sorted(shape)) if isinstance(shape, Mapping) else str(region)[:60]
        raise AnnotationError(f'region {index} is {found!r}, expected a rect with x, y, width and height', file)
    values = [shape[key] for key in ('x', 'y', 'width', 'height')]
    if not all(isinstance(value, int | float) for value in values):
        raise AnnotationError(f'region {index} has x, y, width, height = {values}, expected numbers', file)
    return values


def parse_location_list(text: str, file: str = '') -> dict[str, CrowdPoints]:
    """Parse a list of true locations as NWPU-Crowd evaluates with: ``id num (x y sigma_s sigma_l level)*num`` a line.

    Returns:
        The heads of each image id; ``attributes`` hold ``sigmas`` (N, 2) float32, the small and the large one in px,
        and ``levels`` (N,) int64, 0 to 5. ``stated`` is num, which in some published lists is not the number of heads.

    Raises:
        AnnotationError: A line is malformed, or an id is there twice.

    Example:
        >>> heads = parse_location_list('3110 1 10 20 5 7 2')['3110']
        >>> heads.points.tolist(), heads.attributes['sigmas'].tolist(), heads.attributes['levels'].tolist()
        ([[10.0, 20.0]], [[5.0, 7.0]], [2])
    """
    found: dict[str, CrowdPoints] = {}
    for line, row in enumerate(text.splitlines(), start=1):
        cells = row.split()
        if not cells:
            continue
        if cells[0] in found:
            raise AnnotationError(f'image {cells[0]!r} is in the list twice', file, line)
        try:
            numbers = np.array(cells[1:], dtype=np.float64)
        except ValueError as error:
            raise AnnotationError(f'expected numbers after the id ({error})', file, line) from None
        if not len(numbers) or (len(numbers) - 1) % 5 or not np.isfinite(numbers).all():
            raise AnnotationError(
                f'{len(cells)} values, expected id, num, and x y sigma_s sigma_l level of each head, all finite',
                file,
                line,
            )
        rows = numbers[1:].reshape(-1, 5)
        attributes: dict[str, np.ndarray] = {
            'sigmas': rows[:, 2:4].astype(np.float32),
            'levels': rows[:, 4].astype(np.int64),
        }
        found[cells[0]] = CrowdPoints(rows[:, :2], stated=_whole(numbers[0], 'num', file), attributes=attributes)
    return found
