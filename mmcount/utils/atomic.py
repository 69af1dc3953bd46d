"""Files that are there whole or not at all."""

import os
import tempfile
from pathlib import Path


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
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f'.{target.name}.')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(content.encode('utf-8') if isinstance(content, str) else content)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide the file from the rest of the group
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
