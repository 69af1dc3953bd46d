"""From paths, globs, folders and arrays to a list of images with unique names."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from mmcount.datasets.formats.images import IMG_EXTENSIONS, list_images

Inputs = str | Path | np.ndarray | Sequence[Any]


@dataclass(frozen=True)
class ImageInput:
    """One image to count.

    Args:
        name: Unique; forward slashes.
        path: The file, or None.
        array: (H, W, 3) uint8 BGR, or None.
    """

    name: str
    path: str | None = None
    array: np.ndarray | None = None


def list_inputs(inputs: Inputs, skip_folder: str | None = None) -> list[ImageInput]:
    """Find the images.

    A path that exists is taken as it is, whatever characters are in it; else it is a glob (``**`` goes down folders).
    Folders are searched with all their sub-folders, by extension. A file that is met twice is taken once. Names are
    paths relative to the folder that all files share.

    Args:
        inputs: A path, a glob, a folder, an (H, W, 3) uint8 BGR array, or a list of those.
        skip_folder: A folder whose files are results, not inputs.

    Raises:
        FileNotFoundError: An input gives no image.
        TypeError: An input is none of the above.
        ValueError: An array has another shape or type.
    """
    items: Sequence[Any] = [inputs] if isinstance(inputs, (str, Path, np.ndarray, ImageInput)) else inputs
    found: list[ImageInput] = []
    roots: list[str] = []
    for item in items:
        if isinstance(item, ImageInput):
            found.append(item)
        elif isinstance(item, np.ndarray):
            found.append(ImageInput('', array=checked_array(item)))
        elif isinstance(item, (str, Path)):
            root, paths = _find(str(item))
            roots.append(root)
            skipped = None if skip_folder is None else os.path.abspath(skip_folder) + os.sep
            found += [ImageInput('', path) for path in paths if skipped is None or not path.startswith(skipped)]
        else:
            raise TypeError(f'expected a path, an (H, W, 3) uint8 array or a list of those, got {type(item).__name__}')
    return _named(found, roots)


def checked_array(array: np.ndarray) -> np.ndarray:
    """The array, if it is an image.

    Raises:
        ValueError: It is not (H, W, 3) uint8 with at least one pixel.
    """
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8 or array.size == 0:
        raise ValueError(f'expected an (H, W, 3) uint8 BGR image, got {array.dtype} of shape {array.shape}')
    return array


def _find(item: str) -> tuple[str, list[str]]:
    """The folder that names are relative to, and absolute paths."""
    if os.path.isfile(item):
        path = os.path.abspath(item)
        return os.path.dirname(path), [path]
    looked_for = f'looked for {", ".join(IMG_EXTENSIONS)}'
    if os.path.isdir(item):
        folder = os.path.abspath(item)
        paths = [os.path.join(folder, *PurePath(name).parts) for name in list_images(folder)]
        if not paths:
            raise FileNotFoundError(f'no image below the folder {item!r}; {looked_for}')
        return folder, paths
    if not glob.has_magic(item):
        raise FileNotFoundError(f'no such file or folder: {item!r}; in a folder, {looked_for}')
    matches = (path for path in glob.glob(item, recursive=True) if path.lower().endswith(IMG_EXTENSIONS))
    paths = sorted(os.path.abspath(path) for path in matches if os.path.isfile(path))
    if not paths:
        raise FileNotFoundError(f'no image matches the pattern {item!r}; {looked_for}')
    return os.path.commonpath([os.path.dirname(path) for path in paths]), paths


def _named(found: list[ImageInput], roots: list[str]) -> list[ImageInput]:
    root = os.path.commonpath(roots) if roots else ''
    seen: set[str] = set()
    named = []
    for index, item in enumerate(found):
        if item.name:
            name = item.name
        elif item.path is None:
            name = f'array-{index:06d}'
        else:
            name = PurePath(os.path.relpath(item.path, root)).as_posix()
        if name in seen and item.path is not None:
            continue
        # A file may be called like an array.
        while name in seen:
            name += '_'
        seen.add(name)
        named.append(ImageInput(name, item.path, item.array))
    return named
