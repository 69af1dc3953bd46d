"""Read counts of whole images from delimited text: ``image,class,count`` or one column per class."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmcount.utils.errors import AnnotationError, did_you_mean
from mmcount.utils.numbers import MAX_COUNT

from .tables import CLASS_NAMES, IMAGE_NAMES, ImageRows, Table, read_table

COLUMN_NAMES = {'image': IMAGE_NAMES, 'class': CLASS_NAMES, 'count': ('count', 'counts', 'number', 'num')}
EXPECTED = 'image[,class],count or image,<class 1>,<class 2>,...'


@dataclass
class CountTable(ImageRows):
    """Counts of (image, class) pairs, each pair at most once.

    Attributes:
        counts: (N,) int64, at least 0.
        columns: Names of the class columns, in their order, if each class has a column of its own.
    """

    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    columns: list[str] | None = None


def read_counts_csv(path: str, classes: Sequence[str] | None = None) -> CountTable:
    r"""Read a table of counts, see :func:`read_table`.

    With a column ``count`` every line says the count of one class in one image; without one, every further column is
    a class and every line an image.

    Args:
        path: The file.
        classes: Known classes: columns of other names are then notes and ignored, and each class needs its column.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: A count is no whole number, or a pair of image and class has two; the message names file and
            line, what was found, and what was expected.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp(), 'counts.csv')
        >>> _ = path.write_text('image,cat,dog\na.png,2,0\n')
        >>> table = read_counts_csv(str(path))
        >>> table.images, table.classes, table.counts.tolist()
        (['a.png', 'a.png'], ['cat', 'dog'], [2, 0])
    """
    table = read_table(path, 'counts file', COLUMN_NAMES, ('image',), EXPECTED)
    places = table.columns
    images = table.image_names()
    if 'count' in places:
        kinds = table.texts(places['class'], 'class') if 'class' in places else None
        counts = _whole(table, places['count'], 'the count')
        found = CountTable(images, kinds, table.lines, counts)
    else:
        wide = _class_columns(table, classes)
        rows = np.stack([_whole(table, place, f'the count of {name!r}') for name, place in wide.items()], axis=1)
        found = CountTable(
            [image for image in images for _ in wide],
            [name for _ in images for name in wide],
            [line for line in table.lines for _ in wide],
            rows.reshape(-1),
            list(wide),
        )
    _check_pairs(found, path)
    return found


def _whole(table: Table, column: int, what: str) -> np.ndarray:
    """The counts of a column, (N,) int64."""
    cells = [cell.strip() for cell in table.cells[column]]
    if '' in cells:
        line = table.lines[cells.index('')]
        raise AnnotationError(f"{what} is '', expected a whole number, write 0 where there is none", table.file, line)
    numbers = table.numbers(column, what, 'whole number')
    bad = np.flatnonzero((numbers < 0) | (numbers > MAX_COUNT) | (numbers % 1 != 0))
    if len(bad):
        raise AnnotationError(
            f'{what} is {cells[bad[0]]!r}, expected a whole number in 0..{MAX_COUNT}', table.file, table.lines[bad[0]]
        )
    return numbers.astype(np.int64)


def _check_pairs(found: CountTable, path: str) -> None:
    """Refuse a second count of an image and class."""
    first_lines: dict[tuple[str, str], int] = {}
    kinds = found.classes or [''] * len(found.images)
    for image, kind, line in zip(found.images, kinds, found.lines, strict=True):
        earlier = first_lines.setdefault((image, kind), line)
        if earlier != line:
            whose = f'of class {kind!r} ' if kind else ''
            raise AnnotationError(f'image {image!r} has a count {whose}already on line {earlier}', path, line)


def _class_columns(table: Table, classes: Sequence[str] | None) -> dict[str, int]:
    """Class name to column, for tables with a column per class."""
    file, line, header = table.file, table.header_line, table.header
    places: dict[str, int] = {}
    for index, name in enumerate(header):
        if index == table.columns['image'] or (classes is not None and name not in classes):
            continue
        if not name:
            raise AnnotationError(f'column {index + 1} of the header {header[:8]} has no name', file, line)
        if name in places:
            raise AnnotationError(f'2 columns for class {name!r} in the header {header}, expected one', file, line)
        places[name] = index
    missing = [name for name in classes or () if name not in places]
    if missing:
        others = [name for index, name in enumerate(header) if index != table.columns['image']]
        raise AnnotationError(
            f'the header {header[:8]} has neither a column count nor one for class {missing[0]!r}'
            f'{did_you_mean(missing[0], others)}',
            file,
            line,
        )
    if not places:
        raise AnnotationError(f'the header {header[:8]} has no counts; expected {EXPECTED}', file, line)
    # the order of the classes, if it is known
    return {name: places[name] for name in classes} if classes is not None else places
