"""Figures of whole data sets and trainings: arrays in, a PNG file out. No global state of Matplotlib is touched."""

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from mmcount.utils.atomic import write_atomic

Series = tuple[list[float], list[float]]


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure to a PNG file, whole or not at all."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    write_atomic(path, buffer.getvalue())


def plot_counts(
    pred: ArrayLike, true: ArrayLike, path: str | Path, title: str = '', interval: ArrayLike | None = None
) -> None:
    """Predicted against true counts, one dot for each image, with the line on which they agree.

    Args:
        pred: Predicted objects.
        true: True objects.
        path: PNG file.
        title: First line above the figure; the errors are the second.
        interval: Lower and upper bounds, drawn as bars; rows of NaN have none.

    Shape:
        pred, true: (T,), T >= 1. interval: (T, 2).

    Raises:
        ValueError: The shapes differ, there is no image, or a count is not finite.
    """
    pred_array, true_array = np.asarray(pred, dtype=np.float64), np.asarray(true, dtype=np.float64)
    if pred_array.shape != true_array.shape or pred_array.ndim != 1 or not pred_array.size:
        raise ValueError(
            f'pred and true must be one count for each of at least one image, got shapes {pred_array.shape} and '
            f'{true_array.shape}'
        )
    difference = pred_array - true_array
    if not np.isfinite(difference).all():
        raise ValueError(f'the counts of image {int(np.argmin(np.isfinite(difference)))} are not finite')
    figure = Figure(figsize=(5.6, 5.6), dpi=110, layout='constrained')
    axes = figure.add_subplot()
    limit = max(1.0, float(pred_array.max()), float(true_array.max())) * 1.06
    low = min(0.0, float(pred_array.min())) - 0.03 * limit
    axes.plot([low, limit], [low, limit], color='0.6', linewidth=1, zorder=1, label='predicted = true')
    if interval is not None:
        bounds = np.asarray(interval, dtype=np.float64)
        told = np.isfinite(bounds).all(axis=1)
        axes.vlines(true_array[told], bounds[told, 0], bounds[told, 1], color='tab:blue', alpha=0.3, zorder=2)
    alpha = 0.8 if len(pred_array) < 300 else 0.4
    axes.scatter(true_array, pred_array, s=22, alpha=alpha, color='tab:blue', edgecolors='none', zorder=3)
    axes.set(xlim=(low, limit), ylim=(low, limit), xlabel='true count', ylabel='predicted count', aspect='equal')
    rmse = np.sqrt(np.square(difference).mean())
    numbers = f'MAE {np.abs(difference).mean():.2f}   bias {difference.mean():+.2f}   RMSE {rmse:.2f}'
    summary = f'{numbers}   n = {len(pred_array)}'
    axes.set_title(f'{title}\n{summary}' if title else summary, fontsize=11)
    axes.grid(color='0.93')
    axes.legend(loc='upper left', frameon=False)
    save_figure(figure, path)


def plot_errors_by_count(
    table: Sequence[tuple[float, int, Mapping[str, float]]], path: str | Path, title: str = ''
) -> None:
    """RMSE, MAE and bias against the true count, above the number of (image, class) pairs they come from.

    Args:
        table: As of :func:`mmcount.evaluation.functional.errors_by_count`.
        path: PNG file.
        title: Line above the figure.

    Raises:
        ValueError: The table is empty.
    """
    if not table:
        raise ValueError('a table of at least one true count is needed')
    counts = [count for count, _, _ in table]
    figure = Figure(figsize=(6.4, 5.2), dpi=110, layout='constrained')
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.axhline(0, color='0.6', linewidth=1)
    for name in ('RMSE', 'MAE', 'bias'):
        values = [errors[name] for _, _, errors in table]
        upper.plot(counts, values, marker='o', markersize=4, linewidth=1.5, label=name)
    upper.set(ylabel='objects', title=title)
    upper.legend(frameon=False)
    lower.vlines(counts, 0.5, [pairs for _, pairs, _ in table], color='0.5', linewidth=4)
    # Far most pairs have a count of zero; a straight axis would hide all others.
    lower.set(xlabel='true count', ylabel='pairs', yscale='log', ylim=(0.5, None))
    for axes in (upper, lower):
        axes.grid(color='0.93')
    save_figure(figure, path)


def read_scalars(path: str | Path) -> dict[str, Series]:
    """The curves in a ``scalars.json`` of MMEngine, a (steps, values) pair of lists by name.

    Steps are training iterations. Validation records of runs by epoch carry the epoch only, so their step is the one of
    the training record before them. A last line that was cut short by an interruption is left out.

    Raises:
        FileNotFoundError: There is no such file.
    """
    curves: dict[str, Series] = {}
    last = 0.0
    for line in Path(path).read_text(encoding='utf-8').splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if 'loss' in record:
            last = float(record.get('iter', record.get('step', last)))
        for name, value in record.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if name not in ('iter', 'step', 'epoch') and is_number and math.isfinite(value):
                steps, values = curves.setdefault(name, ([], []))
                steps.append(last)
                values.append(float(value))
    return curves


def plot_curves(
    curves: dict[str, Series],
    path: str | Path,
    metrics: Sequence[str] = ('count/MAE', 'count/MAE_calibrated', 'count/MAE_mean_baseline'),
) -> bool:
    """The losses and the count errors of a training against its iterations.

    Args:
        curves: As of :func:`read_scalars`.
        path: PNG file.
        metrics: Names of the curves of the second figure.

    Returns:
        Whether there was anything to draw; if not, no file is written.
    """
    losses = {name: curves[name] for name in sorted(curves) if name.split('/')[-1].startswith('loss')}
    errors = {name: curves[name] for name in metrics if name in curves}
    groups = [(label, group) for label, group in (('loss', losses), ('objects per image', errors)) if group]
    if not groups:
        return False
    figure = Figure(figsize=(6.4 * len(groups), 4.2), dpi=110, layout='constrained')
    for index, (label, group) in enumerate(groups):
        axes = figure.add_subplot(1, len(groups), index + 1)
        _draw_group(axes, group, markers=label != 'loss')
        axes.set(xlabel='iteration', ylabel=label)
        axes.legend(frameon=False)
    save_figure(figure, path)
    return True


def _draw_group(axes: Axes, group: dict[str, Series], markers: bool) -> None:
    for name, (steps, values) in group.items():
        axes.plot(steps, values, marker='o' if markers else None, markersize=4, linewidth=1.5, label=name)
    values = [value for _, series in group.values() for value in series]
    # Losses fall over orders of magnitude; a straight axis would hide all but the first steps.
    if min(values) > 0 and max(values) / min(values) > 20:
        axes.set_yscale('log')
    elif min(values) >= 0:
        axes.set_ylim(bottom=0)
    axes.grid(color='0.93', which='both')
