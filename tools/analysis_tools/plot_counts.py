"""Draw predicted against true counts from the CSV file of ``tools/test.py --csv`` or ``DumpCounts``.

Usage: ``python tools/analysis_tools/plot_counts.py counts.csv counts.png [--class cell]``

With ``--by-count`` the figure shows the errors of the (image, class) pairs of each true count instead.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from mmcount.evaluation.functional import errors_by_count, round_counts
from mmcount.evaluation.functional.class_rmse import ROUNDINGS
from mmcount.visualization import plot_counts, plot_errors_by_count

COLUMNS = ('img_id', 'class', 'gt', 'pred')


def read_counts(path: Path, name: str | None = None, add_up: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted counts (T,), true counts (T,) and intervals (T, 2), NaN where there are none.

    Args:
        path: The CSV file.
        name: One class; without it the classes of each image are added up, and a sum of several has no interval.
        add_up: Whether to add up; without it every (image, class) pair is an entry of its own.

    Raises:
        ValueError: A column is missing, a number cannot be read, or there is no row of the class.
    """
    images: dict[str, list[tuple[float, float, float, float]]] = {}
    with path.open(encoding='utf-8', newline='') as stream:
        reader = csv.DictReader(stream)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f'{path}: expected the columns {COLUMNS}, missing {missing}')
        for row in reader:
            if name is not None and row['class'] != name:
                continue
            try:
                numbers = [float(row.get(key) or 'nan') for key in ('pred', 'gt', 'lo', 'hi')]
            except ValueError as error:
                raise ValueError(f'{path}, line {reader.line_num}: {error}') from error
            images.setdefault(row['img_id'], []).append((numbers[0], numbers[1], numbers[2], numbers[3]))
    if not images:
        raise ValueError(f'{path}: no image' if name is None else f'{path}: no row of the class {name!r}')
    if not add_up:
        pairs = np.concatenate([np.array(rows) for rows in images.values()])
        return pairs[:, 0], pairs[:, 1], pairs[:, 2:]
    totals = np.array([np.sum(rows, axis=0) for rows in images.values()])
    several = np.array([len(rows) > 1 for rows in images.values()])
    totals[several, 2:] = np.nan
    return totals[:, 0], totals[:, 1], totals[:, 2:]


def main() -> None:
    """Draw one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('csv', type=Path)
    parser.add_argument('out', type=Path, help='PNG file')
    parser.add_argument('--class', dest='name', help='one class; by default the sum of all')
    parser.add_argument('--title', help='first line above the figure; by default the name of the file')
    parser.add_argument('--by-count', action='store_true', help='draw RMSE, MAE and bias of each true count')
    parser.add_argument('--rounding', choices=ROUNDINGS, default='half_even', help='of counts, with --by-count')
    parser.add_argument('--clamp', action='store_true', help='negative counts become zero, with --by-count')
    args = parser.parse_args()
    try:
        pred, true, interval = read_counts(args.csv, args.name, add_up=not args.by_count)
        title = args.title or args.csv.stem
        if args.by_count:
            plot_errors_by_count(errors_by_count(round_counts(pred, args.rounding, args.clamp), true), args.out, title)
        else:
            plot_counts(pred, true, args.out, title, interval)
    except (OSError, ValueError) as error:
        raise SystemExit(f'ERROR: {error}') from None
    print(args.out)


if __name__ == '__main__':
    main()
