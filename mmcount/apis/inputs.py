"""From paths, globs, folders, arrays and PIL images to a list of images with unique names."""

import glob
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import cv2
import numpy as np
from PIL import Image, ImageOps

from mmcount.datasets.formats.images import IMG_EXTENSIONS, is_special, list_images
from mmcount.datasets.transforms.loading import LoadImage
from mmcount.datasets.transforms.pixels import StoredPixels, to_8_bit_bgr

Inputs: TypeAlias = 'str | Path | np.ndarray | Image.Image | Sequence[Any]'


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


class InputList(list[ImageInput]):
    """Images to count, in order.

    Attributes:
        left_out: Files of folders and globs that are no images by their suffix: how many of each suffix.
    """

    def __init__(self, items: Sequence[ImageInput] = (), left_out: Counter[str] | None = None) -> None:
        super().__init__(items)
        self.left_out: Counter[str] = Counter() if left_out is None else left_out


def list_inputs(inputs: Inputs, skip_folder: str | Path | None = None, loader: LoadImage | None = None) -> InputList:
    """Find the images.

    A path that exists is taken as it is, whatever characters are in it; else it is a glob (``**`` goes down folders).
    Folders are searched with all their sub-folders, by extension. A file that is met twice is taken once. Names are
    paths relative to the folder that all files share.

    Args:
        inputs: A path, a glob, a folder, an (H, W, 3) uint8 BGR or (H, W) grey array, a PIL image, or a list of those.
        skip_folder: A folder whose files are results: folders and globs leave it out.
        loader: Its ``value_range`` and ``background`` hold for PIL images too; None for the defaults.

    Raises:
        FileNotFoundError: An input gives no image.
        TypeError: An input is none of the above.
        ValueError: An array or a PIL image has another shape or type, or results would lie among the images.
    """
    single = isinstance(inputs, (str, Path, np.ndarray, Image.Image, ImageInput))
    items: Any = [inputs] if single else inputs
    found: list[ImageInput] = []
    roots: list[str] = []
    left_out: Counter[str] = Counter(inputs.left_out if isinstance(inputs, InputList) else {})
    for item in items:
        if isinstance(item, ImageInput):
            found.append(item)
        elif isinstance(item, np.ndarray):
            found.append(ImageInput('', array=checked_array(item)))
        elif isinstance(item, Image.Image):
            found.append(ImageInput('', array=pil_array(item, loader)))
        elif isinstance(item, (str, Path)):
            match = _find(str(item), None if skip_folder is None else os.path.abspath(skip_folder))
            roots.append(match.root)
            found += [ImageInput('', path) for path in match.paths]
            left_out.update(_suffix(path) for path in match.others)
        else:
            kind = type(item).__name__
            raise TypeError(f'expected a path, an (H, W, 3) uint8 array, a PIL image or a list of those, got {kind}')
    return InputList(_named(found, roots), left_out)


def checked_array(array: np.ndarray) -> np.ndarray:
    """The array as (H, W, 3) BGR, if it is an image; grey is repeated.

    Raises:
        ValueError: It is not (H, W, 3), (H, W, 1) or (H, W) uint8 with at least one pixel.
    """
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if array.dtype != np.uint8 or array.size == 0 or not (grey or (array.ndim == 3 and array.shape[2] == 3)):
        raise ValueError(
            f'expected an (H, W, 3) uint8 BGR or (H, W) uint8 grey image, got {array.dtype} of shape {array.shape}'
        )
    return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2) if grey else array


def pil_array(image: Image.Image, loader: LoadImage | None = None) -> np.ndarray:
    """A PIL image as (H, W, 3) uint8 BGR, treated as a file is: turned as its EXIF says, same range and background.

    Raises:
        ValueError: Its pixels have 32 bits, and the loader has no ``value_range``.
    """
    loader = loader or LoadImage()
    image = ImageOps.exif_transpose(image)
    if image.mode in ('I', 'F') and loader.value_range is None:
        raise ValueError(f'expected a PIL image of 8 or 16 bits, got mode {image.mode!r}: its range must be chosen')
    if image.mode[0] in 'IF':
        raw = np.asarray(image)
        raw = raw.astype(raw.dtype.newbyteorder('='))
    elif image.has_transparency_data:
        raw = cv2.cvtColor(np.asarray(image.convert('RGBA')), cv2.COLOR_RGBA2BGRA)
    else:
        return cv2.cvtColor(np.asarray(image.convert('RGB')), cv2.COLOR_RGB2BGR)
    return to_8_bit_bgr(raw, StoredPixels(), 'a PIL image', loader.value_range, loader.background)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower() or 'no suffix'


@dataclass
class _Match:
    """Absolute paths that an input stands for; their names are relative to ``root``."""

    root: str
    paths: list[str]
    others: list[str] = field(default_factory=list)


def _find(item: str, skip_folder: str | None) -> _Match:
    if os.path.isfile(item):
        path = os.path.abspath(item)
        return _Match(os.path.dirname(path), [path])
    if os.path.isdir(item):
        root, what = os.path.abspath(item), f'below the folder {item!r}'
        # Every suffix ends in nothing.
        files = [os.path.join(root, *PurePath(name).parts) for name in list_images(root, ('',))]
    elif is_special(item):
        raise FileNotFoundError(f'{item!r} is a pipe, a socket or a device, expected an image file or a folder')
    elif glob.has_magic(item):
        root, what = '', f'matches the pattern {item!r}'
        matches = sorted(os.path.abspath(path) for path in glob.glob(item, recursive=True))
        files = [path for path in matches if os.path.isfile(path)]
        special = [path for path in matches if is_special(path)]
        if special:
            warnings.warn(f'{item}: left out as pipes, sockets or devices: {", ".join(special[:3])}', stacklevel=3)
    else:
        raise FileNotFoundError(
            f'no such file or folder: {item!r}; in a folder, looked for {", ".join(IMG_EXTENSIONS)}'
        )
    if skip_folder is not None:
        if (root + os.sep).startswith(skip_folder + os.sep):
            raise ValueError(f'overlays would be written among the images of {item!r}: give them a folder of their own')
        files = [path for path in files if not path.startswith(skip_folder + os.sep)]
    paths = [path for path in files if path.lower().endswith(IMG_EXTENSIONS)]
    others = [path for path in files if not path.lower().endswith(IMG_EXTENSIONS)]
    if not paths:
        found = f', found {", ".join(sorted({_suffix(path) for path in others}))}' if others else ''
        raise FileNotFoundError(f'no image {what}; looked for {", ".join(IMG_EXTENSIONS)}{found}')
    return _Match(root or os.path.commonpath([os.path.dirname(path) for path in paths]), paths, others)


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
