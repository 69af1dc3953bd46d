"""Locount's annotation files: one text file for each image, one box for each line."""

import math
import os
import re
from dataclasses import dataclass, field

from mmcount.utils.errors import AnnotationError, did_you_mean
from mmcount.utils.numbers import Number, parse_count

from .locount_classes import LOCOUNT_CLASSES
from .tables import read_text

_FILE = re.compile(r'\d+\.txt', re.ASCII)
_LABELS = {name.strip(): label for label, name in enumerate(LOCOUNT_CLASSES)}
_LAYOUT = 'x1,y1,x2,y2,class,count'


@dataclass(frozen=True)
class LocountFile:
    """The annotation file of one image.

    Attributes:
        image_id: The number in its name.
        stem: Its name without extension, with leading zeros; that of the image is the same.
        path: Where it is.
    """

    image_id: int
    stem: str
    path: str


@dataclass
class LocountBoxes:
    """The boxes of one image, in the order of the file.

    Attributes:
        boxes: N x (x1, y1, x2, y2), px, numbers as written: whole ones are ``int``.
        labels: N indices into `LOCOUNT_CLASSES`.
        counts: N objects of each box, at least 1.
        lines: N line numbers, 1-based.
    """

    boxes: list[tuple[Number, Number, Number, Number]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.boxes)


def locount_label(name: str) -> int:
    """The id of a class, whatever blanks surround its name.

    Raises:
        ValueError: There is no such class.

    Example:
        >>> locount_label('Baby handkerchiefs'), locount_label('Baby handkerchiefs ')
        (4, 4)
    """
    label = _LABELS.get(name.strip())
    if label is None:
        raise ValueError(
            f'class {name.strip()!r} is none of the {len(_LABELS)} of Locount{did_you_mean(name.strip(), _LABELS)}'
        )
    return label


def parse_locount(text: str, file: str = '', skipped: list[AnnotationError] | None = None) -> LocountBoxes:
    """Parse the lines ``x1,y1,x2,y2,class,count`` of one image; lines without text are passed over.

    Args:
        text: The content of the file; empty for an image without boxes.
        file: What messages call it.
        skipped: Gets the errors of bad lines, which then are left out instead of raised.

    Raises:
        AnnotationError: A line has another layout, an unknown class, a corner that is no finite number or left of or
            above the first one, or a count that is no whole number of at least 1; the message names file and line.

    Example:
        >>> found = parse_locount('10,20,110,220,Tea,12', '0007.txt')
        >>> found.boxes, found.labels, found.counts
        ([(10, 20, 110, 220)], [21], [12])
    """
    found = LocountBoxes()
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            box, label, count = _parse_line(line)
        except ValueError as error:
            wrong = AnnotationError(str(error), file, number)
            if skipped is None:
                raise wrong from None
            skipped.append(wrong)
            continue
        found.boxes.append(box)
        found.labels.append(label)
        found.counts.append(count)
        found.lines.append(number)
    return found


def _parse_line(line: str) -> tuple[tuple[Number, Number, Number, Number], int, int]:
    fields = line.split(',')
    if len(fields) != 6:
        raise ValueError(f'has {len(fields)} fields, expected 6 ({_LAYOUT}): {line.strip()!r}')
    x1, y1, x2, y2 = (_number(value) for value in fields[:4])
    if x2 < x1 or y2 < y1:
        raise ValueError(f'the second corner ({x2}, {y2}) lies left of or above the first one ({x1}, {y1})')
    return (x1, y1, x2, y2), locount_label(fields[4]), parse_count(fields[5].strip())


def _number(value: str) -> Number:
    try:
        number = float(value)
        if not math.isfinite(number) or '_' in value:  # Python reads '1_2' as 12
            raise ValueError
        return int(value) if '.' not in value and 'e' not in value.lower() else number
    except ValueError:
        raise ValueError(f'{value.strip()!r} is no finite number, expected {_LAYOUT}') from None


def format_locount(found: LocountBoxes) -> str:
    r"""The text of the file of one image; :func:`parse_locount` reads the same boxes from it.

    Example:
        >>> format_locount(LocountBoxes([(10, 20, 110, 220)], [4], [12], [1]))
        '10,20,110,220,Baby handkerchiefs ,12\n'
    """
    rows = zip(found.boxes, found.labels, found.counts, strict=True)
    return ''.join(f'{",".join(map(str, box))},{LOCOUNT_CLASSES[label]},{count}\n' for box, label, count in rows)


def read_locount(path: str, skipped: list[AnnotationError] | None = None) -> LocountBoxes:
    """Read the file of one image, see :func:`parse_locount`."""
    return parse_locount(read_text(path, may_be_empty=True), path, skipped)


def list_locount(folder: str) -> tuple[list[LocountFile], list[str]]:
    """The annotation files of a folder by ascending image id, and the names of what else is there.

    Raises:
        FileNotFoundError: The folder does not exist.
        AnnotationError: It has no annotation file, or two of the same number.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ('0012.txt', '3.txt', 'notes.txt'):
        ...     (folder / name).touch()
        >>> files, others = list_locount(str(folder))
        >>> [(one.image_id, one.stem) for one in files], others
        ([(3, '3'), (12, '0012')], ['notes.txt'])
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'annotation folder {folder!r} does not exist')
    names = sorted(name for name in os.listdir(folder) if not name.startswith('.'))
    files: dict[int, LocountFile] = {}
    for name in names:
        if not _FILE.fullmatch(name):
            continue
        stem = os.path.splitext(name)[0]
        one = LocountFile(int(stem), stem, os.path.join(folder, name))
        earlier = files.setdefault(one.image_id, one)
        if earlier is not one:
            raise AnnotationError(f'has the number {one.image_id} of {earlier.stem}.txt beside it', one.path)
    if not files:
        raise AnnotationError('holds no file <digits>.txt', folder)
    return [files[number] for number in sorted(files)], [name for name in names if not _FILE.fullmatch(name)]
