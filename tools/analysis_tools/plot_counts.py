"""Draw predicted against true counts from the CSV file of ``tools/test.py --csv`` or ``CountMetric(out_file=...)``.

Usage: ``python tools/analysis_tools/plot_counts.py counts.csv counts.png [--class cell]``
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from mmcount.visualization import plot_counts

COLUMNS = ('img_id', 'class', 'gt', 'pred')


def read_counts(path: Path, name: str | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted counts (T,), true counts (T,) and intervals (T, 2), NaN where there are none.

    Args:
        path: The CSV file.
        name: One class; without it the classes of each image are added up, and a sum of several has no interval.

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
    args = parser.parse_args()
    try:
        pred, true, interval = read_counts(args.csv, args.name)
        plot_counts(pred, true, args.out, args.title or args.csv.stem, interval)
    except (OSError, ValueError) as error:
        raise SystemExit(f'ERROR: {error}') from None
    print(args.out)


if __name__ == '__main__':
    main()
