"""Reader of idx files, the format of MNIST, plain or gzipped."""

import gzip
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

__all__ = ['find_idx_file', 'read_idx']

# A header of a few bytes must not be able to ask for unlimited memory. MNIST images take 47 MB.
_MAX_BYTES = 1 << 30


def find_idx_file(folder: Path, stem: str) -> Path:
    """Find one of the four MNIST files under its usual spellings.

    Args:
        folder: Folder to look in.
        stem: Canonical name such as ``train-images-idx3-ubyte``; also found are ``train-images.idx3-ubyte`` and both
            with ``.gz``.

    Raises:
        FileNotFoundError: None of the spellings exists.
    """
    names = [stem, stem.replace('-idx', '.idx')]
    names += [f'{name}.gz' for name in names]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f'{folder}: no MNIST idx file {stem}; looked for {", ".join(names)}')


def read_idx(path: str | Path, ndim: int) -> np.ndarray:
    """Read an idx file of unsigned bytes.

    Args:
        path: File, gzipped where the name ends in ``.gz``.
        ndim: Expected number of axes: 3 for images (count, rows, columns), 1 for labels.

    Returns:
        Read-only array with ``ndim`` axes, uint8.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not an idx file of bytes with ``ndim`` axes, is truncated, too long, too large or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such idx file')
    opener: Any = gzip.open if path.suffix == '.gz' else open
    try:
        with opener(path, 'rb') as stream:
            return _read_stream(stream, path, ndim)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f'{path}: damaged or truncated gzip stream ({error})') from error


def _read_stream(stream: IO[bytes], path: Path, ndim: int) -> np.ndarray:
    header = stream.read(4 + 4 * ndim)
    expected = bytes((0, 0, 0x08, ndim))
    if header[:4] != expected:
        raise ValueError(
            f'{path}: idx magic number is {header[:4].hex() or "missing"}, expected {expected.hex()} '
            f'(unsigned bytes, {ndim} axes)'
        )
    if len(header) < 4 + 4 * ndim:
        raise ValueError(f'{path}: truncated header of {len(header)} bytes, expected {4 + 4 * ndim}')
    shape = struct.unpack(f'>{ndim}I', header[4:])
    size = 1
    for length in shape:
        size *= length
    if size > _MAX_BYTES:
        raise ValueError(f'{path}: header announces {size} bytes (shape {shape}), more than the limit of {_MAX_BYTES}')
    data = stream.read(size + 1)
    if len(data) < size:
        raise ValueError(f'{path}: truncated, {len(data)} bytes of data, expected {size} for shape {shape}')
    if len(data) > size:
        raise ValueError(f'{path}: more data than the {size} bytes that its header announces for shape {shape}')
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
