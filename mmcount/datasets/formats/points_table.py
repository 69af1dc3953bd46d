"""Read points from delimited text: ``image,x,y[,class][,x1,y1,x2,y2]``."""

import math
from dataclasses import dataclass, field

import numpy as np

from mmcount.utils.errors import AnnotationError

from .tables import CLASS_NAMES, IMAGE_NAMES, ImageRows, clean_name, filled, find_columns, iter_rows, separator_of

COLUMN_NAMES = {'image': IMAGE_NAMES, 'x': ('x',), 'y': ('y',), 'class': CLASS_NAMES}
EXPECTED = 'image,x,y[,class]'
#: A box, in edges of pixels; read where all four are there.
BOX_NAMES = {'x1': ('x1', 'xmin'), 'y1': ('y1', 'ymin'), 'x2': ('x2', 'xmax'), 'y2': ('y2', 'ymax')}

# points are float32 from the data set on
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass
class PointTable(ImageRows):
    """The rows of a points file, one per object.

    Attributes:
        points: (N, 2) float64, as written in the file.
        boxes: (N, 4) float64 xyxy, or None where the file has none.
    """

    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    boxes: np.ndarray | None = None


def parse_points_csv(text: str, file: str = '') -> PointTable:
    r"""Parse points with a header line.

    The separator (comma, semicolon or tab) is the one that gives the required columns. Column order and the case of
    column names do not matter. The four columns of a box are read where all of them are there; others are ignored.

    Args:
        text: The file's text.
        file: Its name, for messages.

    Raises:
        AnnotationError: The message names file and line, what was found, and what was expected.

    Example:
        >>> table = parse_points_csv('image;X;Y\na.png;1.5;2\n')
        >>> table.images, table.points.tolist(), table.classes, table.lines
        (['a.png'], [[1.5, 2.0]], None, [2])
    """
    if not text.strip():
        raise AnnotationError('the file is empty; expected at least the header image,x,y', file)
    rows = iter_rows(text, file, separator_of(text, (*IMAGE_NAMES, 'x', 'y')))
    line, header = next(rows, (1, []))
    if not header:
        raise AnnotationError(f'has no header; expected {EXPECTED}', file, line)
    columns = find_columns(header, {**COLUMN_NAMES, **BOX_NAMES}, ('image', 'x', 'y'), EXPECTED, file, line)
    with_boxes = all(name in columns for name in BOX_NAMES)
    table = PointTable(classes=[] if 'class' in columns else None)
    points: list[tuple[float, float]] = []
    boxes: list[list[float]] = []
    for line, row in rows:
        image = filled(row[columns['image']], 'image name', file, line)
        points.append((_number(row, columns, 'x', file, line), _number(row, columns, 'y', file, line)))
        if with_boxes:
            boxes.append(_box(row, columns, file, line))
        table.images.append(clean_name(image))
        table.lines.append(line)
        if table.classes is not None:
            table.classes.append(filled(row[columns['class']], 'class', file, line))
    table.points = np.array(points, dtype=np.float64).reshape(-1, 2)
    if with_boxes:
        table.boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return table


def _box(row: list[str], columns: dict[str, int], file: str, line: int) -> list[float]:
    box = [_number(row, columns, name, file, line) for name in BOX_NAMES]
    if box[2] < box[0] or box[3] < box[1]:
        raise AnnotationError(f'the box {box} ends before it begins, expected x1 <= x2 and y1 <= y2', file, line)
    return box


def _number(row: list[str], columns: dict[str, int], name: str, file: str, line: int) -> float:
    cell = row[columns[name]].strip()
    try:
        # float() reads '1_0' as 10, which no spreadsheet means
        value = float(cell) if '_' not in cell else math.nan
    except ValueError:
        hint = f'; write {cell.replace(",", ".")!r}' if cell.count(',') == 1 else ''
        raise AnnotationError(f'{name} is {cell!r}, expected a number{hint}', file, line) from None
    if not math.isfinite(value) or abs(value) > _FLOAT32_MAX:
        raise AnnotationError(f'{name} is {cell!r}, expected a finite number', file, line)
    return value
