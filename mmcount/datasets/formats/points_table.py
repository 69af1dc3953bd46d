"""Read points from delimited text: ``image,x,y[,class][,x1,y1,x2,y2]``."""

from dataclasses import dataclass, field

import numpy as np

from mmcount.utils.errors import AnnotationError

from .tables import CLASS_NAMES, IMAGE_NAMES, ImageRows, Table, read_table

#: A box, in edges of pixels; read if all four are there.
BOX_NAMES = {'x1': ('x1', 'xmin'), 'y1': ('y1', 'ymin'), 'x2': ('x2', 'xmax'), 'y2': ('y2', 'ymax')}
#: Sizes of a box, which tools write beside its corner.
SIZE_NAMES = ({'width', 'w', 'box_width', 'bbox_width'}, {'height', 'h', 'box_height', 'bbox_height'})
COLUMN_NAMES = {'image': IMAGE_NAMES, 'x': ('x',), 'y': ('y',), 'class': CLASS_NAMES, **BOX_NAMES}


@dataclass
class PointTable(ImageRows):
    """The rows of a points file, one per object.

    Attributes:
        points: (N, 2) float64, as written in the file.
        boxes: (N, 4) float64 xyxy, or None if the file has none.
    """

    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    boxes: np.ndarray | None = None


def read_points_csv(path: str) -> PointTable:
    r"""Read a table of points, see :func:`read_table`.

    The four columns of a box are read if all of them are there; other columns are ignored, except sizes of boxes
    (width and height), beside which x and y would be corners. A row with an image and
    nothing else (``a.png,,``) says that the image has no object.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The message names file and line, what was found, and what was expected.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp(), 'points.csv')
        >>> _ = path.write_text('image;X;Y\na.png;1.5;2\n')
        >>> table = read_points_csv(str(path))
        >>> table.images, table.points.tolist(), table.classes, table.lines
        (['a.png'], [[1.5, 2.0]], None, [2])
    """
    table = read_table(path, 'points file', COLUMN_NAMES, ('image', 'x', 'y'), 'image,x,y[,class]')
    places = table.columns
    _check_no_sizes(table)
    table, empty = _without_empty(table)
    images = table.image_names()
    points = np.stack([table.numbers(places[name], name) for name in ('x', 'y')], axis=1)
    classes = table.texts(places['class'], 'class') if 'class' in places else None
    if not all(name in places for name in BOX_NAMES):
        return PointTable(images, classes, table.lines, points, empty=empty)
    boxes = np.stack([table.numbers(places[name], name) for name in BOX_NAMES], axis=1)
    reversed_ = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if reversed_.any():
        index = int(reversed_.argmax())
        raise AnnotationError(
            f'the box {boxes[index].tolist()} ends before it begins, expected x1 <= x2 and y1 <= y2',
            path,
            table.lines[index],
        )
    return PointTable(images, classes, table.lines, points, boxes, empty=empty)


def _check_no_sizes(table: Table) -> None:
    """Refuse boxes as corner and size, whose corners would be taken for the centres of objects."""
    found = [cell for cell in table.header if any(cell.lower() in names for names in SIZE_NAMES)]
    has_both = all(any(cell.lower() in names for cell in found) for names in SIZE_NAMES)
    if has_both and not all(name in table.columns for name in BOX_NAMES):
        raise AnnotationError(
            f'the columns x, y, {", ".join(found)} are boxes, of which x and y may be the corner, not the centre; '
            'write the centre as x,y and the box as x1,y1,x2,y2, or leave out the sizes if x,y is the centre',
            table.file,
            table.header_line,
        )


def _without_empty(table: Table) -> tuple[Table, dict[str, int]]:
    """The rows of objects, and the images (with their lines) of which a row without any entry says they hold none."""
    others = [table.cells[place] for name, place in table.columns.items() if name != 'image']
    rows, nothing = table.split([any(cell.strip() for cell in row) for row in zip(*others, strict=True)])
    for x, y, line in zip(rows.cells[table.columns['x']], rows.cells[table.columns['y']], rows.lines, strict=True):
        if not x.strip() and not y.strip():
            raise AnnotationError(
                'x and y are empty, but not the other columns; a line of an image without objects has nothing but the '
                'image',
                table.file,
                line,
            )
    if not nothing.lines:
        return table, {}
    empty = dict(zip(nothing.image_names(), nothing.lines, strict=True))
    for image, line in zip(rows.image_names(), rows.lines, strict=True):
        if image in empty:
            raise AnnotationError(
                f'image {image!r} has an object, but line {empty[image]} without x and y says that it has none',
                table.file,
                line,
            )
    return rows, empty
