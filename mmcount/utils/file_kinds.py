"""Files that stand in place of weights: pointers, pages, leftovers of a broken download."""

import zipfile
from pathlib import Path

__all__ = ['not_weights']

_ZIP = b'PK\x03\x04'


def not_weights(path: str | Path) -> str | None:
    """Recognise a file that lies where weights should be, in words; None for one that may be weights.

    Args:
        path: An existing file.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / 'model.pth'
        >>> _ = file.write_bytes(b'')
        >>> not_weights(file)
        'it is empty: download or copy it again'
    """
    with open(path, 'rb') as stream:
        start = stream.read(512)
    if not start:
        return 'it is empty: download or copy it again'
    if start.startswith(b'version https://git-lfs'):
        return 'it is a Git LFS pointer, which stands for the weights: fetch them with "git lfs pull"'
    text = start.removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    if text.startswith((b'<!doctype html', b'<html', b'<head', b'<?xml', b'<!--')):
        return 'it is an HTML or XML page, as a link to a web page gives: download the file itself'
    if start.startswith(_ZIP) and not zipfile.is_zipfile(path):
        return 'it is cut off: its end is missing, download or copy it again'
    return None
