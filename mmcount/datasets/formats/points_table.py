"""Read points from delimited text: ``image,x,y[,class][,x1,y1,x2,y2]``."""

from dataclasses import dataclass, field

import numpy as np

from mmcount.utils.errors import AnnotationError

from .tables import CLASS_NAMES, IMAGE_NAMES, ImageRows, read_table

#: A box, in edges of pixels; read if all four are there.
BOX_NAMES = {'x1': ('x1', 'xmin'), 'y1': ('y1', 'ymin'), 'x2': ('x2', 'xmax'), 'y2': ('y2', 'ymax')}
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

    The four columns of a box are read if all of them are there; other columns are ignored.

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
    images = table.image_names()
    points = np.stack([table.numbers(places[name], name) for name in ('x', 'y')], axis=1)
    classes = table.texts(places['class'], 'class') if 'class' in places else None
    if not all(name in places for name in BOX_NAMES):
        return PointTable(images, classes, table.lines, points)
    boxes = np.stack([table.numbers(places[name], name) for name in BOX_NAMES], axis=1)
    reversed_ = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if reversed_.any():
        index = int(reversed_.argmax())
        raise AnnotationError(
            f'the box {boxes[index].tolist()} ends before it begins, expected x1 <= x2 and y1 <= y2',
            path,
            table.lines[index],
        )
    return PointTable(images, classes, table.lines, points, boxes)
