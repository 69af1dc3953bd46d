"""Read points from delimited text: ``image,x,y[,class]``."""

import csv
import io
import math
import posixpath
from dataclasses import dataclass, field

import numpy as np

from ..errors import AnnotationError

SEPARATORS = (',', ';', '\t')
COLUMN_NAMES = {
    'image': ('image', 'img', 'file', 'filename', 'image_name', 'image_path'),
    'x': ('x',),
    'y': ('y',),
    'class': ('class', 'label', 'category'),
}

# points are float32 from the data set on
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass
class PointTable:
    """The rows of a points file.

    Attributes:
        images: Image name of each point, N names with forward slashes.
        points: (N, 2) float64, as written in the file.
        classes: Class name of each point, or ``None`` where the file has no class column.
        lines: Line number of each point, 1-based.
    """

    images: list[str] = field(default_factory=list)
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    classes: list[str] | None = None
    lines: list[int] = field(default_factory=list)


def decode_text(data: bytes, file: str) -> str:
    """Decode UTF-8 (with or without BOM) or UTF-16 with BOM, as spreadsheets export it.

    Raises:
        AnnotationError: The bytes are neither; the message names the line.
    """
    encoding = 'utf-16' if data[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig'
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b'\n') + 1
        raise AnnotationError(f'is not {encoding} text ({error.reason}); save it as UTF-8', file, line) from error
    if '\0' in text:
        raise AnnotationError('holds NUL bytes, expected text', file, text[: text.index('\0')].count('\n') + 1)
    return text


def read_text(path: str) -> str:
    """Read and decode a small text file.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The file is empty or no text.
    """
    with open(path, 'rb') as stream:
        text = decode_text(stream.read(), path)
    if not text.strip():
        raise AnnotationError('the file is empty', path)
    return text


def clean_name(name: str) -> str:
    """Normalise an image name: forward slashes, no leading ``./``.

    Example:
        >>> clean_name('./a/../b/1.jpg')
        'b/1.jpg'
    """
    return posixpath.normpath(name.strip().replace('\\', '/'))


def parse_image_list(text: str, file: str = '') -> list[tuple[str, int]]:
    """Read image names, one per line; blank lines are skipped.

    Returns:
        (name, line number) in file order.

    Raises:
        AnnotationError: A name appears twice, or there is none.
    """
    first_lines: dict[str, int] = {}
    for line, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip():
            continue
        name = clean_name(raw)
        if name in first_lines:
            raise AnnotationError(f'image {name!r} is already on line {first_lines[name]}', file, line)
        first_lines[name] = line
    if not first_lines:
        raise AnnotationError('names no image, expected one per line', file)
    return list(first_lines.items())


def parse_points_csv(text: str, file: str = '') -> PointTable:
    r"""Parse points with a header line.

    The separator (comma, semicolon or tab) is the one that gives the required columns. Column order and the case of
    column names do not matter; further columns are ignored.

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
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator, strict=True)
    columns: dict[str, int] | None = None
    width = 0
    table = PointTable()
    points: list[tuple[float, float]] = []
    classes: list[str] = []
    try:
        for row in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in row):
                continue
            if columns is None:
                columns, width = _columns(row, file, line), len(row)
                continue
            if len(row) != width:
                raise AnnotationError(f'{len(row)} columns {row[:6]}, expected {width} as in the header', file, line)
            image = row[columns['image']].strip()
            if not image:
                raise AnnotationError('the image name is empty', file, line)
            points.append((_number(row, columns, 'x', file, line), _number(row, columns, 'y', file, line)))
            table.images.append(clean_name(image))
            table.lines.append(line)
            if 'class' in columns:
                classes.append(row[columns['class']].strip())
                if not classes[-1]:
                    raise AnnotationError('the class is empty', file, line)
    except csv.Error as error:
        raise AnnotationError(f'is not well-formed delimited text ({error})', file, reader.line_num) from error
    if columns is None:
        raise AnnotationError('has no header; expected image,x,y[,class]', file, 1)
    table.points = np.array(points, dtype=np.float64).reshape(-1, 2)
    table.classes = classes if 'class' in columns else None
    return table


def _separator(text: str) -> str:
    """Return the separator whose header has most of the required columns; comma in doubt."""
    header = next(line for line in text.splitlines() if line.strip())
    required = [alias for name in ('image', 'x', 'y') for alias in COLUMN_NAMES[name]]

    def found(separator: str) -> int:
        return sum(cell.strip().strip('"').strip().lower() in required for cell in header.split(separator))

    return max(SEPARATORS, key=found)


def _columns(row: list[str], file: str, line: int) -> dict[str, int]:
    header = [cell.strip().lower() for cell in row]
    columns = {}
    for name, aliases in COLUMN_NAMES.items():
        places = [index for index, cell in enumerate(header) if cell in aliases]
        if len(places) > 1:
            raise AnnotationError(f'{len(places)} columns for {name!r} in the header {row}, expected one', file, line)
        if places:
            columns[name] = places[0]
    missing = [name for name in ('image', 'x', 'y') if name not in columns]
    if missing:
        raise AnnotationError(
            f'the header {row[:8]} lacks {missing}; expected image,x,y[,class] separated by comma, semicolon or tab',
            file,
            line,
        )
    return columns


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
