"""Numbers as annotation files write them."""

import math
import re

import numpy as np

#: Counts are float32 from the data set on, which holds every whole number up to here.
MAX_COUNT = 2**24
#: Coordinates are float32 from the data set on.
MAX_FLOAT32 = float(np.finfo(np.float32).max)

Number = int | float


def parse_number(text: str, kind: str = 'number') -> float:
    """A finite number that float32 can hold; ``kind`` is what the message expects.

    Raises:
        ValueError: It is none; says what it is.

    Example:
        >>> parse_number(' 2.5')
        2.5
        >>> parse_number('2,5')
        Traceback (most recent call last):
            ...
        ValueError: '2,5', expected a number; write '2.5'
    """
    cell = text.strip()
    try:
        # float() reads '1_0' as 10, which no spreadsheet means
        number = float(cell) if '_' not in cell else math.nan
    except ValueError:
        raise ValueError(f'{cell!r}, expected a {kind}{_comma_hint(cell)}') from None
    if not abs(number) <= MAX_FLOAT32:
        raise ValueError(f'{cell!r}, expected a finite number')
    return number


def _comma_hint(cell: str) -> str:
    """How to write a number with a decimal comma or with separators of thousands."""
    if re.fullmatch(r'[+-]?\d*,\d+', cell):
        return f'; write {cell.replace(",", ".")!r}'
    if re.fullmatch(r"[+-]?[\d.,' ]*\d", cell):
        return '; write it without separators of thousands and with a decimal point'
    return ''


def parse_count(value: object) -> int:
    """A count of a box: a whole number of at least 1.

    Raises:
        ValueError: It is none.

    Example:
        >>> parse_count('12'), parse_count(3.0)
        (12, 3)
    """
    try:
        number = math.nan if isinstance(value, bool) or '_' in str(value) else float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    if not (1 <= number <= MAX_COUNT and number == int(number)):
        raise ValueError(f'the count is {value!r}, expected a whole number in 1..{MAX_COUNT}')
    return int(number)
