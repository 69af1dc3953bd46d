"""Read counts of whole images from delimited text: ``image,class,count`` or one column per class."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmcount.utils.errors import AnnotationError, did_you_mean

from ..image_counts import MAX_COUNT
from .tables import CLASS_NAMES, IMAGE_NAMES, ImageRows, clean_name, filled, find_columns, iter_rows, separator_of

COLUMN_NAMES = {
    'image': IMAGE_NAMES,
    'class': CLASS_NAMES,
    'count': ('count', 'counts', 'number', 'num'),
}
EXPECTED = 'image[,class],count or image,<class 1>,<class 2>,...'


@dataclass
class CountTable(ImageRows):
    """Counts of (image, class) pairs, each pair at most once.

    Attributes:
        counts: (N,) int64, at least 0.
        columns: Names of the class columns, in their order, where each class has a column of its own.
    """

    counts: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    columns: list[str] | None = None


def parse_counts_csv(text: str, file: str = '', classes: Sequence[str] | None = None) -> CountTable:
    r"""Parse counts with a header line.

    With a column ``count`` every line says the count of one class in one image; without one, every further column is
    a class and every line an image. Separators, quotes and column names are as in :func:`parse_points_csv`.

    Args:
        text: The file's text.
        file: Its name, for messages.
        classes: Known classes: columns of other names are then notes and ignored, and each class needs its column.

    Raises:
        AnnotationError: A count is no whole number, or a pair of image and class has two; the message names file and
            line, what was found, and what was expected.

    Example:
        >>> table = parse_counts_csv('image,cat,dog\na.png,2,0\n')
        >>> table.images, table.classes, table.counts.tolist()
        (['a.png', 'a.png'], ['cat', 'dog'], [2, 0])
    """
    if not text.strip():
        raise AnnotationError(f'the file is empty; expected at least the header {EXPECTED}', file)
    known = (*COLUMN_NAMES['image'], *COLUMN_NAMES['count'], *(name.lower() for name in classes or ()))
    separator = separator_of(text, known)
    rows = iter_rows(text, file, separator)
    line, header = next(rows, (1, []))
    header = [cell.strip() for cell in header]
    if not header:
        raise AnnotationError(f'has no header; expected {EXPECTED}', file, line)
    columns = find_columns(header, COLUMN_NAMES, ('image',), EXPECTED, file, line)
    wide = None if 'count' in columns else _class_columns(header, columns['image'], classes, file, line)
    has_classes = wide is not None or 'class' in columns
    table = CountTable(classes=[] if has_classes else None, columns=None if wide is None else list(wide))
    counts: list[int] = []
    first_lines: dict[tuple[str, str], int] = {}
    for line, row in rows:
        image = clean_name(filled(row[columns['image']], 'image name', file, line))
        if wide is not None:
            pairs = [(name, row[place]) for name, place in wide.items()]
        elif 'class' in columns:
            pairs = [(filled(row[columns['class']], 'class', file, line), row[columns['count']])]
        else:
            pairs = [('', row[columns['count']])]
        for name, cell in pairs:
            earlier = first_lines.setdefault((image, name), line)
            if earlier != line:
                whose = f'of class {name!r} ' if name else ''
                raise AnnotationError(f'image {image!r} has a count {whose}already on line {earlier}', file, line)
            counts.append(_count(cell, f'the count of {name!r}' if wide is not None else 'the count', file, line))
            table.images.append(image)
            table.lines.append(line)
            if table.classes is not None:
                table.classes.append(name)
    table.counts = np.array(counts, dtype=np.int64)
    return table


def _class_columns(
    header: list[str], image: int, classes: Sequence[str] | None, file: str, line: int
) -> dict[str, int]:
    """Class name to column, for tables with a column per class."""
    places: dict[str, int] = {}
    for index, name in enumerate(header):
        if index == image or (classes is not None and name not in classes):
            continue
        if not name:
            raise AnnotationError(f'column {index + 1} of the header {header[:8]} has no name', file, line)
        if name in places:
            raise AnnotationError(f'2 columns for class {name!r} in the header {header}, expected one', file, line)
        places[name] = index
    missing = [name for name in classes or () if name not in places]
    if missing:
        others = [name for index, name in enumerate(header) if index != image]
        raise AnnotationError(
            f'the header {header[:8]} has neither a column count nor one for class {missing[0]!r}'
            f'{did_you_mean(missing[0], others)}',
            file,
            line,
        )
    if not places:
        raise AnnotationError(f'the header {header[:8]} has no counts; expected {EXPECTED}', file, line)
    # the order of the classes, where it is known
    return {name: places[name] for name in classes} if classes is not None else places


def _count(cell: str, what: str, file: str, line: int) -> int:
    text = cell.strip()
    try:
        # float() reads '1_0' as 10, which no spreadsheet means
        value = float(text) if '_' not in text else -1.0
    except ValueError:
        hint = ', write 0 where there is none' if not text else ''
        raise AnnotationError(f'{what} is {text!r}, expected a whole number{hint}', file, line) from None
    if not 0 <= value <= MAX_COUNT or value != int(value):
        raise AnnotationError(f'{what} is {text!r}, expected a whole number in 0..{MAX_COUNT}', file, line)
    return int(value)
