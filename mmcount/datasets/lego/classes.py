"""The 100 object classes of MNIST-LEGO: which digits, in which arrangement."""

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

__all__ = ['CLASS_TABLE_SEED', 'LAYOUTS', 'LegoClass', 'class_table', 'generate_class_table', 'single_digit_classes']

CLASS_TABLE_SEED = 2015

# Centres (x, y) of the parts relative to the centre of the object, in units of the part size; y points down.
LAYOUTS: dict[str, tuple[tuple[float, float], ...]] = {
    'row': ((-1.0, 0.0), (0.0, 0.0), (1.0, 0.0)),
    'column': ((0.0, -1.0), (0.0, 0.0), (0.0, 1.0)),
    'corner': ((0.0, -0.5), (0.0, 0.5), (1.0, 0.5)),
    'triangle': ((0.0, -0.5), (-0.5, 0.5), (0.5, 0.5)),
    'diagonal': ((-0.8, -0.8), (0.0, 0.0), (0.8, 0.8)),
}


@dataclass(frozen=True)
class LegoClass:
    """One kind of object: digits and where they sit.

    Args:
        name: Unique name, such as ``row-385`` or ``7``.
        digits: Digit of each part.
        offsets: Centre (x, y) of each part in units of the part size, from the centre of the object.
    """

    name: str
    digits: tuple[int, ...]
    offsets: tuple[tuple[float, float], ...]


def generate_class_table(seed: int = CLASS_TABLE_SEED, per_layout: int = 20) -> list[dict]:
    """Draw the class table that the package ships.

    Within a layout no two triples are equal, not even after every 9 is read as a 6: a turned 6 is a 9, so such
    classes could not be told apart once objects are rotated.

    Args:
        seed: Seed of the legacy ``RandomState`` stream, which NumPy promises never to change.
        per_layout: Number of digit triples per layout, at most 729.

    Returns:
        One ``dict(layout, digits)`` per class; the class id is the position in the list.

    Raises:
        ValueError: ``per_layout`` is not in 1..729.

    Example:
        >>> table = generate_class_table()
        >>> len(table), sorted({row['layout'] for row in table})
        (100, ['column', 'corner', 'diagonal', 'row', 'triangle'])
    """
    if not 1 <= per_layout <= 9**3:
        raise ValueError(f'per_layout must be in 1..{9**3} (distinct triples with 6 and 9 alike), got {per_layout}')
    rng = np.random.RandomState(seed)
    table = []
    for layout in LAYOUTS:
        seen: set[tuple[int, ...]] = set()
        while len(seen) < per_layout:
            digits = tuple(int(d) for d in rng.randint(0, 10, size=3))
            key = tuple(6 if d == 9 else d for d in digits)
            if key not in seen:
                seen.add(key)
                table.append({'layout': layout, 'digits': list(digits)})
    return table


@lru_cache(maxsize=1)
def class_table() -> tuple[LegoClass, ...]:
    """The 100 three-digit classes, read from the table in the package so that ids never move.

    Example:
        >>> len(class_table()), len(class_table()[0].digits)
        (100, 3)
    """
    rows = json.loads(files(__package__).joinpath('classes.json').read_text(encoding='utf-8'))['classes']
    return tuple(
        LegoClass(
            name=f'{row["layout"]}-{"".join(map(str, row["digits"]))}',
            digits=tuple(row['digits']),
            offsets=LAYOUTS[row['layout']],
        )
        for row in rows
    )


@lru_cache(maxsize=1)
def single_digit_classes() -> tuple[LegoClass, ...]:
    """The ten digits as objects of one part; class id and digit are equal.

    Example:
        >>> single_digit_classes()[7].name
        '7'
    """
    return tuple(LegoClass(str(digit), (digit,), ((0.0, 0.0),)) for digit in range(10))
