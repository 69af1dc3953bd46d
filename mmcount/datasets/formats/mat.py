"""Read the variables of MATLAB files of any version."""

import os
from typing import Any

import numpy as np

from mmcount.utils.errors import AnnotationError

_HDF5_SIGNATURE = b'\x89HDF\r\n\x1a\n'


def read_mat(path: str, required: tuple[str, ...] = (), name: str = '') -> dict[str, Any]:
    """Read a ``.mat`` file: version 4 to 7.2 with SciPy, 7.3 (HDF5) with ``h5py``.

    Arrays of numbers stay arrays in MATLAB's shape, cell arrays become lists, in MATLAB's column order, and a struct
    becomes a dict (an array of several structs a list of dicts, or, in 7.3, a dict of lists as it is stored).

    Args:
        path: The file.
        required: Variables that it must hold.
        name: What errors call it; ``path`` by default.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: The file is damaged, no MATLAB file, or lacks a required variable.
        ImportError: The file is of version 7.3 and ``h5py`` is not installed.

    Example:
        >>> import os, tempfile
        >>> from scipy.io import savemat
        >>> path = os.path.join(tempfile.mkdtemp(), 'a.mat')
        >>> savemat(path, dict(annPoints=[[1.0, 2.0]]))
        >>> read_mat(path)['annPoints'].tolist()
        [[1.0, 2.0]]
    """
    name = name or path
    if not os.path.isfile(path):
        raise FileNotFoundError(f'.mat file {name!r} does not exist')
    try:
        with open(path, 'rb') as stream:
            head = stream.read(520)
        # MATLAB puts a text block of 512 bytes before the HDF5 data, other writers do not
        modern = _HDF5_SIGNATURE in (head[:8], head[512:]) or b'MATLAB 7.3' in head[:128]
        content = _read_hdf5(path, name) if modern else _read_mat5(path)
    except ImportError:
        raise
    except Exception as error:  # the readers raise whatever a damaged file makes of them
        raise AnnotationError(f'cannot be read as a .mat file ({type(error).__name__}: {error})', name) from error
    missing = [one for one in required if one not in content]
    if missing:
        raise AnnotationError(f'holds no variable {missing[0]!r}, only {sorted(content)[:8]}', name)
    return content


def _read_mat5(path: str) -> dict[str, Any]:
    from scipy.io import loadmat

    return {key: _plain(value) for key, value in loadmat(path).items() if not key.startswith('__')}


def _plain(value: Any) -> Any:
    """Structs as dicts and cells as lists, at any depth."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:
        structs = [{name: _plain(one[name]) for name in value.dtype.names} for one in value.ravel(order='F')]
        return structs[0] if len(structs) == 1 else structs
    if value.dtype == object:
        return [_plain(one) for one in value.ravel(order='F')]
    return value


def _read_hdf5(path: str, name: str) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f'{name} is a MATLAB 7.3 file, which is read with h5py: run `pip install h5py`, or save it in MATLAB with '
            "the option '-v7'"
        ) from error

    def plain(item: Any) -> Any:
        if isinstance(item, h5py.Group):
            return {name: plain(item[name]) for name in item}
        if item.attrs.get('MATLAB_empty', 0):
            return np.zeros(tuple(int(side) for side in np.ravel(item[()])))
        if h5py.check_ref_dtype(item.dtype) is not None:
            # stored by columns: C order in the file is MATLAB's order
            return [plain(file[one]) for one in np.ravel(item[()])]
        return np.asarray(item[()]).T

    with h5py.File(path, 'r') as file:
        return {name: plain(file[name]) for name in file if not name.startswith('#')}
