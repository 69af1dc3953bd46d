"""COCO's compressed run lengths, checked before pycocotools decodes them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_INTEGERS = (int, np.integer)


def read_counts(text: str | bytes) -> list[int]:
    """The numbers in a string of COCO's compressed counts.

    Five bits a character from 48 on, the sixth says that more follow, and from the fourth number on each is the
    difference to the one before the last.

    Raises:
        ValueError: A character is none of the code, or the string ends in the middle of a number.

    Example:
        >>> read_counts('0121')
        [0, 1, 2, 2]
    """
    counts: list[int] = []
    value = shift = 0
    for code in text.encode('utf-8') if isinstance(text, str) else text:
        bits = code - 48
        if not 0 <= bits < 64:
            raise ValueError(f"'counts' has the character {chr(code)!r}, which no run-length code has")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("'counts' ends in the middle of a number")
    return counts


def checked_runs(code: Any) -> dict[str, Any]:
    """Run lengths as ``dict(size=[H, W], counts=[...])``, whose runs fill the mask.

    pycocotools trusts its input: a damaged string makes it read or write outside of its memory.

    Args:
        code: COCO's notation, ``counts`` compressed (str or bytes) or a list.

    Raises:
        ValueError: ``code`` is no such thing, or its runs do not add up to its size.

    Example:
        >>> checked_runs(dict(size=[1, 5], counts='0121'))['counts']
        [0, 1, 2, 2]
    """
    if not isinstance(code, Mapping) or 'size' not in code or 'counts' not in code:
        raise ValueError(f"expected a COCO run-length code with 'size' and 'counts', found {str(code)[:60]}")
    if not is_size(code['size']):
        raise ValueError(f"'size' must be [height, width], found {code['size']!r}")
    height, width = (int(side) for side in code['size'])
    counts = code['counts']
    if isinstance(counts, str | bytes):
        counts = read_counts(counts)
    if not isinstance(counts, Sequence) or not all(isinstance(one, _INTEGERS) and one >= 0 for one in counts):
        raise ValueError(f"'counts' must be a string or a list of whole numbers, found {str(counts)[:60]}")
    if sum(counts) != height * width:
        raise ValueError(f'the runs add up to {sum(counts)} pixels, expected {height} x {width}')
    return {'size': [height, width], 'counts': list(counts)}


def is_size(value: Any) -> bool:
    """Whether ``value`` is ``[height, width]``."""
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) == 2
        and all(isinstance(side, _INTEGERS) and not isinstance(side, bool) and side > 0 for side in value)
    )
