"""Find image files and read their sizes without decoding them."""

import os
import warnings
from pathlib import PurePath

from PIL import Image, UnidentifiedImageError

from mmcount.utils.errors import AnnotationError

IMG_EXTENSIONS = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')

_EXIF_ORIENTATION = 0x0112


def list_images(folder: str, extensions: tuple[str, ...] = IMG_EXTENSIONS) -> list[str]:
    """List the image files below a folder.

    Hidden files and folders (leading dot) are ignored; the case of the extension does not matter. Pipes, sockets and
    devices, whose reading may never end, are left out with a warning.

    Args:
        folder: Searched with all its sub-folders.
        extensions: Lower-case, with the dot.

    Returns:
        Paths relative to ``folder`` with forward slashes, sorted by character code.

    Raises:
        FileNotFoundError: The folder does not exist.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'image folder {folder!r} does not exist')
    found: list[str] = []
    special: list[str] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith('.')]
        for name in files:
            if not name.startswith('.') and name.lower().endswith(extensions):
                path = os.path.join(parent, name)
                kept = special if is_special(path) else found
                kept.append(PurePath(os.path.relpath(path, folder)).as_posix())
    if special:
        names = ', '.join(sorted(special)[:3]) + (f' and {len(special) - 3} more' if len(special) > 3 else '')
        warnings.warn(f'{folder}: left out as pipes, sockets or devices: {names}', stacklevel=2)
    return sorted(found)


def is_special(path: str) -> bool:
    """If a path is there and neither a file nor a folder: a pipe, a socket or a device."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def image_size(path: str) -> tuple[int, int]:
    """Return ``(height, width)`` of an image as it is displayed, from the file's header.

    Cameras store turned pictures with an EXIF orientation; OpenCV turns them when it reads them, so the size of the
    turned picture is what annotations have to fit.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The file is not an image that can be read.
    """
    if is_special(path):
        raise AnnotationError('is a pipe, a socket or a device, expected an image file', path)
    try:
        with warnings.catch_warnings():
            # only the header is read here; what may be decoded is decided by who loads the image
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            width, height = image.size
            # Pillow decodes a whole PNG in search of EXIF data behind the pixels; where it is in front, info has it
            has_exif = image.format != 'PNG' or 'exif' in image.info
            turned = has_exif and image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except FileNotFoundError:
        raise FileNotFoundError(f'image {path!r} does not exist') from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AnnotationError(f'cannot be read as an image ({error})', path) from error
    return (width, height) if turned else (height, width)
