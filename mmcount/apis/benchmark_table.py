"""The rows of a benchmark as Markdown, CSV and a figure."""

import csv
import io
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log

from mmcount.utils.atomic import write_atomic
from mmcount.utils.cells import safe_cell

Row = Mapping[str, Any]


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        title: In Markdown.
        key: In CSV, where numbers are as they are.
        value: Of a row; None leaves the cell empty.
        show: Number to text, in Markdown.
    """

    title: str
    key: str
    value: Callable[[Row], float | None]
    show: Callable[[float], str]


def _metric(*keys: str) -> Callable[[Row], float | None]:
    """The first of several metrics that a row has."""

    def value(row: Row) -> float | None:
        metrics = row.get('metrics') or {}
        return next((metrics[key] for key in keys if key in metrics), None)

    return value


def _percent(value: float) -> str:
    return f'{100 * value:.1f}'


def _plain(value: float) -> str:
    return f'{value:.3g}' if abs(value) < 100 else f'{value:.1f}'


COLUMNS = (
    Column('AP', 'AP', _metric('locount/AP', 'coco/bbox_mAP'), _percent),
    Column('AP_lc', 'AP_lc', _metric('locount/AP_lc'), _percent),
    Column('MAE', 'MAE', _metric('count/MAE'), _plain),
    Column('parameters, M', 'params', lambda row: row.get('params'), lambda value: f'{value / 1e6:.2f}'),
    Column('FLOPs, G', 'flops', lambda row: row.get('flops'), lambda value: f'{value / 1e9:.3g}'),
    Column('images/s', 'images_per_s', lambda row: row.get('images_per_s'), _plain),
)


def _columns(extra: Sequence[str]) -> tuple[Column, ...]:
    more = tuple(Column(key, key, _metric(key), lambda value: f'{value:.4g}') for key in extra)
    return (*COLUMNS[:3], *more, *COLUMNS[3:])


def markdown_table(rows: Sequence[Row], extra: Sequence[str] = ()) -> str:
    """A table with a line for each row; AP in percent, the MAE in objects per image.

    Args:
        rows: As of :func:`mmcount.apis.benchmark.run_row`.
        extra: Keys of further metrics.

    Example:
        >>> print(markdown_table([{'name': 'a', 'metrics': {'count/MAE': 1.25}, 'params': 2e6}]), end='')
        | model | AP | AP_lc | MAE | parameters, M | FLOPs, G | images/s |
        | --- | --- | --- | --- | --- | --- | --- |
        | a | | | 1.25 | 2.00 | | |
    """
    columns = _columns(extra)
    lines = [['model', *(column.title for column in columns)], ['---'] * (1 + len(columns))]
    for row in rows:
        values = [column.value(row) for column in columns]
        cells = ['' if value is None else column.show(value) for column, value in zip(columns, values, strict=True)]
        name = str(row['name']) + (f' (failed: {row["error"]})' if 'error' in row else '')
        lines.append([name.replace('|', '\\|'), *cells])
    return ''.join('|' + '|'.join(f' {cell} ' if cell else ' ' for cell in line) + '|\n' for line in lines)


def csv_table(rows: Sequence[Row], extra: Sequence[str] = ()) -> str:
    """The same as CSV, with numbers as they are, the images tested, the checkpoint and the error."""
    columns = _columns(extra)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator='\n')
    writer.writerow(['model', *(column.key for column in columns), 'images', 'checkpoint', 'error'])
    for row in rows:
        values = [column.value(row) for column in columns]
        texts = ['' if value is None else f'{value:.6g}' if isinstance(value, float) else value for value in values]
        told = (safe_cell(str(row.get(key, ''))) for key in ('images', 'checkpoint', 'error'))
        writer.writerow([safe_cell(str(row['name'])), *texts, *told])
    return stream.getvalue()


def write_tables(rows: Sequence[Row], out_dir: str | Path, extra: Sequence[str] = ()) -> None:
    """Write ``table.md``, ``table.csv`` and, where Matplotlib is installed, ``table.png``."""
    folder = Path(out_dir)
    write_atomic(folder / 'table.md', markdown_table(rows, extra))
    write_atomic(folder / 'table.csv', csv_table(rows, extra))
    try:
        from mmcount.visualization.benchmark_plot import plot_comparison
    except ImportError as error:
        print_log(f'no {folder / "table.png"}: {error}', 'current', logging.WARNING)
        return
    done = [row for row in rows if 'error' not in row]

    def numbers(column: Column, scale: float = 1) -> list[float]:
        return [math.nan if (value := column.value(row)) is None else scale * value for row in done]

    ap, ap_lc, mae, params, flops, speed = COLUMNS
    panels = {
        'average precision, %': {'AP': numbers(ap, 100), 'AP_lc': numbers(ap_lc, 100)},
        'MAE, objects per image': {'MAE': numbers(mae)},
        'parameters, M': {'parameters': numbers(params, 1e-6)},
        'FLOPs, G': {'FLOPs': numbers(flops, 1e-9)},
        'images/s': {'speed': numbers(speed)},
    }
    plot_comparison([str(row['name']) for row in done], panels, folder / 'table.png')
