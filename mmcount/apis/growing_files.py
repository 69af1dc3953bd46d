"""Files that grow image by image and can be continued after an interruption."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from mmcount.utils.atomic import open_atomic

from .results import CountResult


def partial_path(path: str | Path) -> Path:
    """Where a file grows before it is complete."""
    return Path(f'{path}.partial')


class GrowingFile:
    """A file that has its name only when it is complete.

    Args:
        path: The file.
        keep: Which images of an interrupted file stay; None starts anew.
    """

    def __init__(self, path: str | Path, keep: set[str] | None = None) -> None:
        self.path = Path(path)
        self.partial = partial_path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if keep is None:
            with _open(self.partial, 'w') as stream:
                self._start(stream, None)
        else:
            trimmed = Path(f'{self.partial}.trimmed')
            with _open(trimmed, 'w') as stream:
                self._start(stream, lambda image: image in keep)
            os.replace(trimmed, self.partial)
        self._stream = _open(self.partial, 'a')

    def _start(self, stream: IO[str], keep: Callable[[str], bool] | None) -> None:
        """Write what is there before the first image; ``keep`` says which images of the interrupted file stay."""
        raise NotImplementedError

    def write(self, result: Any) -> None:
        """Append one image and hand it to the operating system, where it survives the end of this process."""
        raise NotImplementedError

    def close(self, complete: bool) -> None:
        """Close the file, and give it its name if it is complete."""
        self._stream.close()
        if complete:
            os.replace(self.partial, self.path)


class GrowingCsv(GrowingFile):
    """Rows of a table.

    Args:
        path: The file.
        columns: Its header.
        rows: From what is written of an image to its rows, its name first.
        keep: Which images of an interrupted file stay; None starts anew.
    """

    def __init__(
        self,
        path: str | Path,
        columns: tuple[str, ...],
        rows: Callable[[Any], Iterable[Iterable[Any]]],
        keep: set[str] | None = None,
    ) -> None:
        self.columns = columns
        self.rows = rows
        super().__init__(path, keep)

    def _start(self, stream: IO[str], keep: Callable[[str], bool] | None) -> None:
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(self.columns)
        if keep is not None:
            writer.writerows(row for row in read_rows(self.partial, self.columns) if keep(row[0]))

    def write(self, result: Any) -> None:
        """Append the rows of an image."""
        csv.writer(self._stream, lineterminator='\n').writerows(self.rows(result))
        self._stream.flush()


class GrowingJson(GrowingFile):
    """Results as JSON: one of them in each line while the file grows, a document when it is complete.

    Args:
        path: The file.
        document: From the results to the pieces of text of the complete file.
        keep: Which images of an interrupted file stay; None starts anew.
    """

    def __init__(
        self,
        path: str | Path,
        document: Callable[[Callable[[], Iterator[dict]]], Iterable[str]],
        keep: set[str] | None = None,
    ) -> None:
        self.document = document
        super().__init__(path, keep)

    def _start(self, stream: IO[str], keep: Callable[[str], bool] | None) -> None:
        for one in self._results() if keep is not None else ():
            if keep is not None and keep(one['image']):
                stream.write(json.dumps(one) + '\n')

    def _results(self) -> Iterator[dict]:
        """Read the file again; a line cut short is left out."""
        with _open(self.partial, 'r') as stream:
            for line in stream:
                if line.endswith('\n'):
                    yield json.loads(line)

    def write(self, result: CountResult) -> None:
        """Append the line of an image."""
        self._stream.write(json.dumps(result.to_dict()) + '\n')
        self._stream.flush()

    def close(self, complete: bool) -> None:
        """Close the file; if it is complete, write the document and remove the lines."""
        self._stream.close()
        if complete:
            with open_atomic(self.path) as stream:
                for piece in self.document(self._results):
                    stream.write(piece)
            self.partial.unlink()


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
