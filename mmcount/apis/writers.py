"""CSV files of counts, written while the counting goes on, and continued after an interruption."""

import csv
import os
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from mmcount.version import __version__

from .results import CountResult, round_count

COUNT_COLUMNS = (
    'image',
    'class',
    'region',
    'count',
    'count_float',
    'lo',
    'hi',
    'saturated',
    'width',
    'height',
    'area_px',
    'model',
    'weights_sha256',
    'version',
    'error',
)
OBJECT_COLUMNS = ('image', 'class', 'x', 'y', 'score', 'x1', 'y1', 'x2', 'y2', 'count_in_box')

#: The region of a row that counts all of an image.
WHOLE_IMAGE = 'whole'


def _number(value: float, digits: int = 4) -> str:
    return f'{float(value):.{digits}f}'


def count_rows(result: CountResult, classes: tuple[str, ...], model: str, weights_sha256: str) -> list[list[Any]]:
    """One row per class; those of a failed image have an ``error`` and no count.

    ``count`` of a row is the class's own count, rounded once, so rows need not add up to the rounded total.

    Shape:
        returns: C rows of :data:`COUNT_COLUMNS`.
    """
    size = [result.width, result.height, result.width * result.height] if result.width and result.height else [''] * 3
    rows = []
    for name in classes:
        numbers = [''] * 5
        if result.error is None:
            bounds = ['', '']
            if result.interval is not None:
                bounds = [_number(bound) for bound in result.interval[name]]
            value = result.counts[name]
            numbers = [str(round_count(value)), _number(value), *bounds, 'true' if result.saturated else 'false']
        error = ' '.join((result.error or '').split())
        rows.append([result.image, name, WHOLE_IMAGE, *numbers, *size, model, weights_sha256, __version__, error])
    return rows


def object_rows(result: CountResult, classes: tuple[str, ...]) -> list[list[Any]]:
    """One row of :data:`OBJECT_COLUMNS` per object with a position; corners are empty where there is no box."""
    rows = []
    for index, point in enumerate(result.points):
        box = [''] * 4 if result.bboxes is None else [_number(value, 2) for value in result.bboxes[index]]
        rows.append(
            [
                result.image,
                classes[int(result.labels[index])],
                *(_number(value, 2) for value in point),
                _number(result.scores[index], 6),
                *box,
                f'{float(result.box_counts[index]):g}',
            ]
        )
    return rows


def partial_path(path: str | Path) -> Path:
    """Where a CSV file grows before it is complete."""
    return Path(f'{path}.partial')


class _GrowingCsv:
    """A CSV file that has its name only when it is complete.

    Args:
        path: The file.
        columns: Its header.
        keep: Which rows of an interrupted file stay; None starts anew.
    """

    def __init__(
        self, path: str | Path, columns: tuple[str, ...], keep: Callable[[list[str]], bool] | None = None
    ) -> None:
        self.path = Path(path)
        self.partial = partial_path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if keep is None:
            self._stream = _open(self.partial, 'w')
            self.write([columns])
            return
        trimmed = Path(f'{self.partial}.trimmed')
        with _open(trimmed, 'w') as stream:
            writer = csv.writer(stream, lineterminator='\n')
            writer.writerow(columns)
            writer.writerows(row for row in read_rows(self.partial, columns) if keep(row))
        os.replace(trimmed, self.partial)
        self._stream = _open(self.partial, 'a')

    def write(self, rows: Iterable[Iterable[Any]]) -> None:
        """Append rows and hand them to the operating system, where they survive the end of this process."""
        csv.writer(self._stream, lineterminator='\n').writerows(rows)
        self._stream.flush()

    def close(self, complete: bool) -> None:
        """Close the file, and give it its name if it is complete."""
        self._stream.close()
        if complete:
            os.replace(self.partial, self.path)


def _open(path: Path, mode: str) -> IO[str]:
    # File names that are no UTF-8 come from the system with surrogates and go back as the bytes that they were.
    return open(path, mode, encoding='utf-8', errors='surrogateescape', newline='')


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterable[list[str]]:
    """The rows of an interrupted file; one cut short is left out.

    Raises:
        ValueError: The header is not ``columns``.
    """
    with _open(path, 'r') as stream:
        reader = csv.reader(stream)
        header = next(reader, [])
        if header != list(columns):
            raise ValueError(f'{path}, line 1: expected the columns {",".join(columns)}, found {",".join(header)}')
        for row in reader:
            if len(row) == len(columns):
                yield row


class CountsCsv:
    """One row per image and class, zeros and failures included, and optionally one row per object.

    Rows go to ``<path>.partial``, which gets its name when everything is written. Leaving the context through an
    exception keeps the partial file for :attr:`done` of the next run.

    Args:
        path: CSV file of :data:`COUNT_COLUMNS`.
        classes: C names.
        model: Name of the model.
        weights_sha256: Checksum of its weights; empty where it has none.
        objects_path: CSV file of :data:`OBJECT_COLUMNS`, or None.
        resume: Continue an interrupted file. Images that failed are tried again.

    Raises:
        FileNotFoundError: There are counts to continue, but not the objects that belong to them.
        ValueError: The interrupted file is of another model, version or set of classes.
    """

    def __init__(
        self,
        path: str | Path,
        classes: tuple[str, ...],
        model: str,
        weights_sha256: str,
        objects_path: str | Path | None = None,
        resume: bool = False,
    ) -> None:
        self.classes = classes
        self.model = model
        self.weights_sha256 = weights_sha256
        self.done: set[str] = set()
        resume = resume and partial_path(path).is_file()
        if resume:
            self.done = self._finished(partial_path(path))
            if objects_path is not None and not partial_path(objects_path).is_file():
                raise FileNotFoundError(
                    f'{partial_path(objects_path)} is missing: the counts in {partial_path(path)} were made without '
                    'objects, so the objects cannot be continued'
                )
        keep = (lambda row: row[0] in self.done) if resume else None
        self._counts = _GrowingCsv(path, COUNT_COLUMNS, keep)
        self._objects = None if objects_path is None else _GrowingCsv(objects_path, OBJECT_COLUMNS, keep)

    def _finished(self, path: Path) -> set[str]:
        """Images of which every class was written and none failed."""
        column = COUNT_COLUMNS.index
        expected = [self.model, self.weights_sha256, __version__]
        done = set()
        for image, group in groupby(read_rows(path, COUNT_COLUMNS), key=lambda row: row[0]):
            rows = list(group)
            for row in rows:
                found = [row[column('model')], row[column('weights_sha256')], row[column('version')]]
                if found != expected or row[1] not in self.classes:
                    raise ValueError(
                        f'{path}, image {image}: was counted as {row[1]!r} by {found}, cannot be continued for '
                        f'{list(self.classes)} by {expected}; delete it or do not resume'
                    )
            # An error cut short by the interruption may look like none, but a failed image has no count either.
            counted = all(row[column('count')] and not row[column('error')] for row in rows)
            if counted and [row[1] for row in rows] == list(self.classes):
                done.add(image)
        return done

    def write(self, result: CountResult) -> None:
        """Append one image. Its objects come first, so an image that has counts has all of its objects."""
        if self._objects is not None:
            self._objects.write(object_rows(result, self.classes))
        self._counts.write(count_rows(result, self.classes, self.model, self.weights_sha256))

    def __enter__(self) -> 'CountsCsv':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._objects is not None:
            self._objects.close(complete=kind is None)
        self._counts.close(complete=kind is None)
