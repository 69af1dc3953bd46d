"""Delimited text with one row per statement about an image: what all such tables share."""

import csv
import io
import posixpath
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from mmcount.utils.errors import AnnotationError
from mmcount.utils.numbers import MAX_FLOAT32, parse_number

SEPARATORS = (',', ';', '\t')
IMAGE_NAMES = ('image', 'img', 'file', 'filename', 'image_name', 'image_path')
_SEPARATOR_LINE = re.compile(r'(\s*)"?sep=([,;\t])"?[ ,;\t]*(?=[\r\n]|\Z)', re.IGNORECASE)
CLASS_NAMES = ('class', 'label', 'category')


@dataclass
class ImageRows:
    """The rows of a table, each about one image.

    Attributes:
        images: Image name of each row, with forward slashes.
        classes: Class name of each row, or ``None`` if the file has no class column.
        lines: Line number of each row, 1-based.
        empty: Images that a row of their own says to hold no object, and its line; they have no other row.
    """

    images: list[str] = field(default_factory=list)
    classes: list[str] | None = None
    lines: list[int] = field(default_factory=list)
    empty: dict[str, int] = field(default_factory=dict, kw_only=True)


def read_text(path: str, what: str = 'annotation file', may_be_empty: bool = False) -> str:
    """Read a small text file in UTF-8 (with or without BOM) or UTF-16 with BOM, as spreadsheets export it.

    Args:
        path: The file.
        what: What the message calls a file that does not exist.
        may_be_empty: Whether an empty file says something, such as "no objects".

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The bytes are no text, or there are none; names the line.
    """
    try:
        with open(path, 'rb') as stream:
            data = stream.read()
    except FileNotFoundError:
        raise FileNotFoundError(f'{what} {path!r} does not exist') from None
    encoding = 'utf-16' if data[:2] in (b'\xff\xfe', b'\xfe\xff') else 'utf-8-sig'
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b'\n') + 1
        raise AnnotationError(f'is not {encoding} text ({error.reason}); save it as UTF-8', path, line) from error
    if '\0' in text:
        raise AnnotationError('holds NUL bytes, expected text', path, text[: text.index('\0')].count('\n') + 1)
    if not may_be_empty and not text.strip():
        raise AnnotationError('the file is empty', path)
    return text


def clean_name(name: str) -> str:
    """Normalise an image name: forward slashes, no leading ``./``.

    Example:
        >>> clean_name('./a/../b/1.jpg')
        'b/1.jpg'
    """
    return posixpath.normpath(name.strip().replace('\\', '/'))


def read_image_list(path: str, what: str = 'list of images') -> list[tuple[str, int]]:
    """Read image names, one per line; blank lines are skipped.

    Args:
        path: The file.
        what: What the message calls a file that does not exist.

    Returns:
        (name, line number) in file order.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: A name appears twice, or there is none.
    """
    first_lines: dict[str, int] = {}
    for line, raw in enumerate(read_text(path, what).splitlines(), start=1):
        if not raw.strip():
            continue
        name = clean_name(raw)
        if name in first_lines:
            raise AnnotationError(f'image {name!r} is already on line {first_lines[name]}', path, line)
        first_lines[name] = line
    if not first_lines:
        raise AnnotationError('names no image, expected one per line', path)
    return list(first_lines.items())


@dataclass
class Table:
    """The cells of a table, column by column.

    Attributes:
        file: Its name, for messages.
        header: Names of the columns, without blanks around them.
        header_line: Line number of the header.
        columns: Known column to its position in the header.
        cells: The cells of each column, N each.
        lines: N line numbers of the rows, 1-based.
    """

    file: str
    header: list[str]
    header_line: int
    columns: dict[str, int]
    cells: list[list[str]]
    lines: list[int]

    def texts(self, column: int, what: str) -> list[str]:
        """The cells of a column without the blanks around them.

        Raises:
            AnnotationError: One is empty; names the line.
        """
        cells = [cell.strip() for cell in self.cells[column]]
        if '' in cells:
            raise AnnotationError(f'the {what} is empty', self.file, self.lines[cells.index('')])
        return cells

    def image_names(self) -> list[str]:
        """The cells of the column ``image``, normalised.

        Raises:
            AnnotationError: One is empty; names the line.
        """
        names = self.texts(self.columns['image'], 'image name')
        clean = {name: clean_name(name) for name in set(names)}  # an image has many rows
        return [clean[name] for name in names]

    def split(self, chosen: Sequence[bool]) -> tuple['Table', 'Table']:
        """The table of the rows that are chosen (N flags), and that of the others."""

        def rows(wanted: bool) -> 'Table':
            keep = [index for index, one in enumerate(chosen) if bool(one) is wanted]
            cells = [[column[index] for index in keep] for column in self.cells]
            return replace(self, cells=cells, lines=[self.lines[index] for index in keep])

        return rows(True), rows(False)

    def numbers(self, column: int, what: str, kind: str = 'number') -> np.ndarray:
        """The numbers of a column, (N,) float64; messages call a cell ``what`` and expect a ``kind``.

        Raises:
            AnnotationError: A cell is no finite number; names the line.
        """
        cells = self.cells[column]
        numbers: np.ndarray = np.empty(len(cells))
        with suppress(ValueError):
            numbers = np.fromiter(map(float, cells), dtype=np.float64, count=len(cells))
            if (np.abs(numbers) <= MAX_FLOAT32).all() and '_' not in ''.join(cells):
                return numbers
        for row, cell in enumerate(cells):  # slower, but it finds the one that is wrong
            try:
                numbers[row] = parse_number(cell, kind)
            except ValueError as error:
                raise AnnotationError(f'{what} is {error}', self.file, self.lines[row]) from None
        return numbers


def read_table(
    path: str, what: str, names: Mapping[str, Sequence[str]], required: Sequence[str], expected: str
) -> Table:
    """Read delimited text with a header line.

    The separator (comma, semicolon or tab) is the one that gives most of the known columns; comma in doubt. Column
    order and the case of column names do not matter. Blank lines are skipped. A first line ``sep=;``, as Excel writes
    it, names the separator.

    Args:
        path: The file.
        what: What the message calls a file that does not exist.
        names: Column to the names that it may have, lower-case.
        required: Columns that must be there.
        expected: The whole header, for messages.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The text is not well formed, a row is not as wide as the header, a required column is missing,
            or a column is there twice; names the line.
    """
    text = read_text(path, what)
    declared = _SEPARATOR_LINE.match(text)
    if declared:
        text = declared[1] + text[declared.end() :]  # the line stays, empty, so that line numbers hold
    first = next((line for line in text.splitlines() if line.strip()), '')
    known = {name for aliases in names.values() for name in aliases}
    separators = (declared[2],) if declared else SEPARATORS
    separator = max(
        separators, key=lambda one: sum(cell.strip().strip('"').strip().lower() in known for cell in first.split(one))
    )
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator, strict=True)
    header: list[str] = []
    header_line, lines = 1, []
    try:
        for row in reader:
            if not ''.join(row).strip():
                continue
            if not header:
                header, header_line = [cell.strip() for cell in row], reader.line_num
                cells: list[list[str]] = [[] for _ in header]
                continue
            if len(row) != len(header):
                hint = ''
                if separator == ',' and len(row) > len(header):
                    hint = '; if these are decimal commas, write decimal points, or put quotes around names with commas'
                raise AnnotationError(
                    f'{len(row)} columns {row[:6]}, expected {len(header)} as in the header{hint}',
                    path,
                    reader.line_num,
                )
            for column, cell in zip(cells, row, strict=True):
                column.append(cell)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise AnnotationError(f'is not well-formed delimited text ({error})', path, reader.line_num) from error
    if not header:
        raise AnnotationError(f'has no header; expected {expected}', path, 1)
    columns = {}
    for name, aliases in names.items():
        places = [index for index, cell in enumerate(header) if cell.lower() in aliases]
        if len(places) > 1:
            raise AnnotationError(
                f'{len(places)} columns for {name!r} in the header {header}, expected one', path, header_line
            )
        if places:
            columns[name] = places[0]
    missing = [name for name in required if name not in columns]
    if missing:
        raise AnnotationError(
            f'the header {header[:8]} lacks {missing}; expected {expected} separated by comma, semicolon or tab',
            path,
            header_line,
        )
    return Table(path, header, header_line, columns, cells, lines)
