"""Lists of points, one image a line: what the NWPU-Crowd benchmark takes, and what others publish.

A line of predictions is ``id num x y x y ...``, one of ground truth ``id num`` and, for each head,
``x y sigma_s sigma_l level``.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from numpy.typing import NDArray

from mmcount.utils.atomic import write_atomic

from ..functional.localization import CrowdPoints

FloatArray = NDArray[np.float64]
TRUTH_COLUMNS = 5


def image_stem(identity: str) -> str:
    """The name by which lists know an image: its file name without folders and suffix.

    Raises:
        ValueError: It is empty or has a blank, which ends a name in these lists.

    Example:
        >>> image_stem('images/3110.jpg')
        '3110'
    """
    stem = Path(identity).stem
    if not stem or re.search(r'\s', stem):
        raise ValueError(f'image {identity!r} has no name without blanks, which separate the numbers of a list')
    return stem


def _lines(path: str | Path) -> Iterator[tuple[int, str, int, FloatArray]]:
    """Line number, image, announced number and all numbers after it."""
    seen: dict[str, int] = {}
    with Path(path).open(encoding='utf-8-sig') as stream:
        for number, line in enumerate(stream, start=1):
            head, *rest = line.split(maxsplit=2)[:3] or ['']
            if not head:
                continue
            if head in seen:
                raise ValueError(f'{path}, line {number}: image {head} is already in line {seen[head]}')
            seen[head] = number
            try:
                announced = float(rest[0])
                values = np.array(rest[1].split() if len(rest) > 1 else [], dtype=np.float64)
            except (IndexError, ValueError) as error:
                raise ValueError(
                    f'{path}, line {number}: expected "id num" and numbers, found {line[:60].strip()!r} ({error})'
                ) from None
            if not np.isfinite([announced, *values]).all() or announced < 0 or announced % 1:
                raise ValueError(
                    f'{path}, line {number}: image {head} needs a whole number of points and finite coordinates, found '
                    f'{line[:60].strip()!r}'
                )
            yield number, head, int(announced), values
    if not seen:
        raise ValueError(f'{path}: no image')


def read_points(path: str | Path) -> dict[str, FloatArray]:
    """Read a list of predictions.

    Args:
        path: File with a line ``id num x y x y ...`` for each image; whole numbers or not.

    Returns:
        (P, 2) px of each image, in the order of the file.

    Raises:
        ValueError: A line is no such line, announces another number of points than it has, or repeats an image.
    """
    points: dict[str, FloatArray] = {}
    for number, image, announced, values in _lines(path):
        if len(values) != 2 * announced:
            raise ValueError(
                f'{path}, line {number}: image {image} announces {announced} points, i.e. {2 * announced} numbers, '
                f'found {len(values)}'
            )
        points[image] = values.reshape(-1, 2)
    return points


def read_crowd_points(path: str | Path) -> dict[str, CrowdPoints]:
    """Read a list of ground truth.

    Args:
        path: File with a line ``id num`` and five numbers for each head, ``x y sigma_s sigma_l level``, as
            ``val_gt_loc.txt`` of NWPU-Crowd; or with ``x y`` only, for fixed radii, in all lines.

    Returns:
        The points of each image. If a line lists fewer heads than it announces (boxes without area are left out of
        public lists after they were counted), ``announced`` is that number, by which the published errors of
        counting are computed; a warning says how many images there are.

    Raises:
        ValueError: A line is no such line, lists more heads than it announces, or repeats an image.
    """
    lines = list(_lines(path))
    columns = 2 if all(len(values) == 2 * announced for _, _, announced, values in lines) else TRUTH_COLUMNS
    if columns == 2 and not any(announced for _, _, announced, _ in lines):
        columns = TRUTH_COLUMNS  # no head at all: nothing to tell the two forms apart by
    truth, short = {}, []
    for number, image, announced, values in lines:
        listed, rest = divmod(len(values), columns)
        if rest or listed > announced:
            raise ValueError(
                f'{path}, line {number}: image {image} announces {announced} heads of {columns} numbers, found '
                f'{len(values)} numbers'
            )
        table = values.reshape(listed, columns)
        if listed < announced:
            short.append(image)
        if columns == 2:
            truth[image] = CrowdPoints(table)
            continue
        levels = table[:, 4].astype(np.int64)
        if (levels != table[:, 4]).any() or not ((levels >= 0) & (levels <= 5)).all():
            raise ValueError(f'{path}, line {number}: image {image} has a level that is not one of 0..5')
        truth[image] = CrowdPoints(table[:, :2], table[:, 2:4], levels, announced if listed < announced else None)
    if short:
        print_log(
            f'{path}: {len(short)} images list fewer heads than they announce ({", ".join(short[:5])}'
            f'{", ..." if len(short) > 5 else ""}); errors of counting use the announced number',
            'current',
            logging.WARNING,
        )
    return truth


def _write(path: str | Path, rows: Iterable[tuple[str, NDArray[Any]]]) -> None:
    lines: dict[str, str] = {}
    for image, table in rows:
        stem = image_stem(image)
        if stem in lines:
            raise ValueError(f'two images are called {stem}, the second is {image!r}: a list cannot tell them apart')
        lines[stem] = ' '.join([stem, str(len(table)), *(f'{value:.10g}' for value in table.reshape(-1).tolist())])
    write_atomic(path, ''.join(f'{line}\n' for line in lines.values()))


def write_points(path: str | Path, points: Mapping[str, NDArray[Any]], truncate: bool = True) -> None:
    """Write the submission of the NWPU-Crowd benchmark.

    Args:
        path: File.
        points: (P, 2) px of the original image for each image; names lose folders and suffix.
        truncate: Whether to cut coordinates to whole numbers, as the benchmark's lists have them.

    Raises:
        ValueError: Two images have one name, or a name has a blank.
    """
    _write(path, ((image, np.trunc(xy) + 0.0 if truncate else xy) for image, xy in points.items()))


def write_crowd_points(path: str | Path, truth: Mapping[str, CrowdPoints]) -> None:
    """Write a list of ground truth for `read_crowd_points`, coordinates and sigmas as they are.

    Raises:
        ValueError: Two images have one name, a name has a blank, or an image lacks sigmas or levels.
    """
    rows = []
    for image, one in truth.items():
        if one.sigmas is None or one.levels is None:
            raise ValueError(f'image {image!r} has no sigmas or no levels, which a list of ground truth needs')
        rows.append((image, np.column_stack((one.points, one.sigmas, one.levels))))
    _write(path, rows)
