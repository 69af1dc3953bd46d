"""Files of the metrics of counts: calibrations, counts and errors by count value."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmcount.utils.atomic import write_atomic
from mmcount.utils.cells import safe_cell
from mmcount.visualization.plots import plot_errors_by_count

from ..functional.calibration import LineCalibration

CountTable = Sequence[tuple[float, int, Mapping[str, float]]]
TABLE_SUFFIXES = ('.csv', '.png')


def load_calibration(path: str | Path) -> LineCalibration:
    """Read the line that ``FitCalibration`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not such a JSON file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
        line = LineCalibration(slope=float(content['slope']), offset=float(content['offset']))
    except FileNotFoundError:
        raise FileNotFoundError(
            f'{path}: no calibration file; evaluate the checkpoint on the validation set with '
            f"dict(type='mmcount.FitCalibration', out_file='{path}') first"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected JSON with the numbers "slope" and "offset", found {error!r}') from error
    if not math.isfinite(line.slope) or not math.isfinite(line.offset):
        raise ValueError(f'{path}: slope and offset must be finite, found {line}')
    return line


def write_calibration(path: str | Path, line: LineCalibration, kind: str, images: int) -> None:
    """Write a line for :func:`load_calibration`, with what it was fitted on."""
    content = {'kind': kind, 'slope': line.slope, 'offset': line.offset, 'images': images}
    write_atomic(path, json.dumps(content, indent=2) + '\n')


def write_counts(path: str | Path, records: Iterable[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Write a CSV file with a row for every image and class: img_id, class, gt, pred, lo, hi."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['img_id', 'class', 'gt', 'pred', 'lo', 'hi'])
    for record in records:
        image = record['img_id']
        image = safe_cell(image) if isinstance(image, str) else image
        for index, name in enumerate(names):
            bounds = [''] * 2 if record['interval'] is None else [f'{bound:.6g}' for bound in record['interval'][index]]
            # Nine digits keep a float32 count exactly.
            writer.writerow(
                [image, safe_cell(name), f'{record["true"][index]:.9g}', f'{record["pred"][index]:.9g}', *bounds]
            )
    write_atomic(path, buffer.getvalue())


def check_table_path(path: str | Path) -> None:
    """Refuse a file that :func:`write_errors_by_count` cannot write.

    Raises:
        ValueError: The suffix is another.
    """
    if Path(path).suffix.lower() not in TABLE_SUFFIXES:
        raise ValueError(f'{path}: errors by count are written to a file with one of the suffixes {TABLE_SUFFIXES}')


def write_errors_by_count(path: str | Path, table: CountTable, title: str = '') -> None:
    """Write the errors of each true count: a table to ``.csv``, a figure to ``.png``.

    Args:
        path: File whose suffix says which.
        table: As of :func:`mmcount.evaluation.functional.errors_by_count`.
        title: Line above the figure.

    Raises:
        ValueError: The suffix is another.
    """
    check_table_path(path)
    if Path(path).suffix.lower() == '.png':
        plot_errors_by_count(table, path, title)
        return
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['gt', 'pairs', 'RMSE', 'MAE', 'bias'])
    for count, pairs, errors in table:
        writer.writerow([f'{count:g}', pairs, *(f'{errors[name]:.6g}' for name in ('RMSE', 'MAE', 'bias'))])
    write_atomic(path, buffer.getvalue())
