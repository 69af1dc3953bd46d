"""Files that are there whole or not at all."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from .errors import SettingError


@contextmanager
def open_atomic(path: str | Path) -> Iterator[TextIO]:
    """Write a file of any size piece by piece; it appears under its name when the block ends without an error.

    Text is written in UTF-8 with its line ends as they are. Folders are made where they are missing.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with open_atomic(folder / 'counts.csv') as stream:
        ...     _ = stream.write('img_id,gt')
        >>> (folder / 'counts.csv').read_text()
        'img_id,gt'
    """
    with _open_binary(path) as binary, io.TextIOWrapper(binary, encoding='utf-8', newline='') as stream:
        yield stream


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Write a whole file or nothing, and the folders above it where they are missing.

    Text is written in UTF-8 with its line ends as they are.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_atomic(folder / 'new' / 'counts.csv', 'img_id,gt')
        >>> (folder / 'new' / 'counts.csv').read_text()
        'img_id,gt'
    """
    with _open_binary(path) as stream:
        stream.write(content.encode('utf-8') if isinstance(content, str) else content)


def check_writable(path: str | Path, folder: bool = False) -> None:
    """Refuse a file or folder of results that cannot be written, before the work for it begins; nothing is made.

    Args:
        path: The file, or the folder.
        folder: It is a folder.

    Raises:
        SettingError: It cannot be written.
    """
    target = Path(path).absolute()
    place = target if folder else target.parent
    try:
        if not folder and target.is_dir():
            raise SettingError(f'cannot write to {path}: it is a folder, expected the name of a file')
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise SettingError(f'cannot write to {path}: {place} is no folder')
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise SettingError(f'cannot write to {path}: {error.strerror or error} ({place})') from error


@contextmanager
def _open_binary(path: str | Path) -> Iterator[BinaryIO]:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f'.{target.name}.')
    try:
        with os.fdopen(handle, 'wb') as stream:
            yield stream
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide the file from the rest of the group
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
