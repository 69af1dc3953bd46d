"""Names of files in the order in which people count them."""

import os
from collections.abc import Sequence


def natural_key(name: str) -> tuple:
    """Sort key that puts 'IMG_2' before 'IMG_10'.

    Example:
        >>> sorted(['IMG_10', 'IMG_2'], key=natural_key)
        ['IMG_2', 'IMG_10']
    """
    parts: list[str] = ['']
    for letter in name:
        if letter.isdecimal() != parts[-1][-1:].isdecimal():
            parts.append('')
        parts[-1] += letter
    return tuple((0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts)


def stems(folder: str, extensions: Sequence[str]) -> dict[str, str]:
    """Files of a folder without its sub-folders: name without extension to path, in natural order.

    Hidden files are ignored; the case of the extension does not matter.
    """
    found = {}
    for file in os.listdir(folder):
        stem, extension = os.path.splitext(file)
        if extension.lower() in extensions and not file.startswith('.'):
            found[stem] = os.path.join(folder, file)
    return dict(sorted(found.items(), key=lambda item: natural_key(item[0])))
