"""``imgIdx.mat``: the index of the salient object subitizing data sets."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.utils.errors import AnnotationError

from .mat import read_mat


def read_img_idx(path: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Read the struct array ``imgIdx`` of a ``.mat`` file, of version 7.3 as published or saved again as version 5.

    Args:
        path: The file.
        fields: Of every image: 'name' becomes str, 'label' and 'istest' int, 'anno' an (N, 4) float64 array of
            (x1, y1, x2, y2), as they are in the file.

    Returns:
        One dict per image.

    Raises:
        AnnotationError: A field is missing, the fields differ in length, or an image has another value than expected;
            names the file and the number of the image, from 1.
        FileNotFoundError: There is no such file.
        ImportError: It needs ``h5py``.
    """
    rows = _rows(read_mat(path, ('imgIdx',))['imgIdx'], fields, path)
    readers = {'name': _text, 'label': _integer, 'istest': _integer, 'anno': _boxes}
    images = []
    for number, row in enumerate(rows, 1):
        image = {}
        for field in fields:
            try:
                image[field] = readers[field](row[field])
            except (ValueError, TypeError, IndexError) as error:
                raise AnnotationError(f'{field} of image {number} of imgIdx: {error}', path) from error
        images.append(image)
    return images


def _rows(index: Any, fields: tuple[str, ...], path: str) -> list[Mapping[str, Any]]:
    """The struct array image by image: HDF5 keeps it field by field, and one struct alone is no list."""
    if isinstance(index, Mapping):
        missing = [field for field in fields if field not in index]
        if missing:
            raise AnnotationError(f'imgIdx has no field {missing[0]!r}, only {sorted(index)}', path)
        columns = {field: index[field] if isinstance(index[field], list) else [index[field]] for field in fields}
        lengths = {field: len(column) for field, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise AnnotationError(f'the fields of imgIdx differ in length: {lengths}', path)
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not isinstance(index, list) or not all(isinstance(row, Mapping) for row in index):
        raise AnnotationError(f'imgIdx is no struct array, found {type(index).__name__}', path)
    for number, row in enumerate(index, 1):
        missing = [field for field in fields if field not in row]
        if missing:
            raise AnnotationError(f'image {number} of imgIdx has no field {missing[0]!r}, only {sorted(row)}', path)
    return index


def _text(value: Any) -> str:
    array = np.asarray(value)
    if array.dtype.kind in 'ui':  # HDF5 keeps character codes
        return ''.join(chr(int(code)) for code in array.ravel())
    text = str(array.ravel()[0]) if array.size else ''
    if not text:
        raise ValueError('expected a file name, found none')
    return text


def _integer(value: Any) -> int:
    numbers = np.asarray(value, dtype=np.float64).ravel()
    if numbers.size != 1 or not float(numbers[0]).is_integer():
        raise ValueError(f'expected one whole number, found {numbers.tolist()[:4]}')
    return int(numbers[0])


def _boxes(value: Any) -> np.ndarray:
    """(N, 4); MATLAB's empty matrix may come as the two zeros of its size, one box as four numbers."""
    numbers = np.asarray(value, dtype=np.float64)
    if numbers.size == 0 or (numbers.size == 2 and not numbers.any()):
        return np.zeros((0, 4))
    if numbers.size == 4:
        return numbers.reshape(1, 4)
    if numbers.ndim != 2 or numbers.shape[1] != 4:
        raise ValueError(f'expected an (N, 4) matrix of boxes, found shape {numbers.shape}')
    return numbers
