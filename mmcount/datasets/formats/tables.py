"""Delimited text with one row per statement about an image: what all such tables share."""

import csv
import io
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mmcount.utils.errors import AnnotationError

SEPARATORS = (',', ';', '\t')
IMAGE_NAMES = ('image', 'img', 'file', 'filename', 'image_name', 'image_path')
CLASS_NAMES = ('class', 'label', 'category')


@dataclass
class ImageRows:
    """The rows of a table, each about one image.

    Attributes:
        images: Image name of each row, with forward slashes.
        classes: Class name of each row, or ``None`` where the file has no class column.
        lines: Line number of each row, 1-based.
    """

    images: list[str] = field(default_factory=list)
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


def separator_of(text: str, names: Sequence[str]) -> str:
    """Return the separator whose header has most of the known column names; comma in doubt.

    Example:
        >>> separator_of('image;x;y', ('image', 'x', 'y'))
        ';'
    """
    header = next((line for line in text.splitlines() if line.strip()), '')

    def found(separator: str) -> int:
        return sum(cell.strip().strip('"').strip().lower() in names for cell in header.split(separator))

    return max(SEPARATORS, key=found)


def iter_rows(text: str, file: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of every row that is not blank, the header first.

    Raises:
        AnnotationError: The text is not well formed, or a row is not as wide as the header.
    """
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=separator, strict=True)
    width = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            width = len(row) if width is None else width
            if len(row) != width:
                raise AnnotationError(
                    f'{len(row)} columns {row[:6]}, expected {width} as in the header', file, reader.line_num
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise AnnotationError(f'is not well-formed delimited text ({error})', file, reader.line_num) from error


def find_columns(
    header: Sequence[str],
    names: Mapping[str, Sequence[str]],
    required: Sequence[str],
    expected: str,
    file: str,
    line: int,
) -> dict[str, int]:
    """Return where each column is, by any of its names.

    Args:
        header: The cells of the header.
        names: Column to the names that it may have, lower-case.
        required: Columns that must be there.
        expected: The whole header, for messages.
        file: The file's name, for messages.
        line: The header's line number.

    Raises:
        AnnotationError: A required column is missing, or a column is there twice.
    """
    cells = [cell.strip().lower() for cell in header]
    columns = {}
    for name, aliases in names.items():
        places = [index for index, cell in enumerate(cells) if cell in aliases]
        if len(places) > 1:
            raise AnnotationError(
                f'{len(places)} columns for {name!r} in the header {list(header)}, expected one', file, line
            )
        if places:
            columns[name] = places[0]
    missing = [name for name in required if name not in columns]
    if missing:
        raise AnnotationError(
            f'the header {list(header[:8])} lacks {missing}; expected {expected} separated by comma, semicolon or tab',
            file,
            line,
        )
    return columns


def filled(cell: str, what: str, file: str, line: int) -> str:
    """Return a cell without the spaces around it; an empty one is an error."""
    text = cell.strip()
    if not text:
        raise AnnotationError(f'the {what} is empty', file, line)
    return text
